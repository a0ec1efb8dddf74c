"""The children of an element by name.

Element names are those of the DUIS namespace; prefixes do not matter. Order is not checked, for nothing depends on it,
and an element that a later schema adds is passed by. A repeated element is refused: readers might each take another.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TypeVar

from joinbridge.errors import DecodeError
from joinbridge.wire.duis.document import Element, ElementError

SR = "{http://www.dccinterface.co.uk/ServiceUserGateway}"
"""The DUIS namespace in the form that lxml puts in front of names."""

_XML_SPACE = " \t\r\n"

Value = TypeVar("Value")


def name_of(element: Element) -> str:
    """Return the local name of a DUIS element, and `{namespace}name` of any other."""
    tag = element.tag
    if tag.startswith(SR):
        return tag[len(SR) :]
    return tag if tag.startswith("{") else "{}" + tag


def only_child(parent: Element) -> Element:
    """Return the one child of an element whose content is a choice."""
    if len(parent) != 1:
        raise ElementError(parent, f"{name_of(parent)} has {len(parent)} elements, not one")
    return parent[0]


def children_named(parent: Element, name: str) -> list[Element]:
    """Return the children of that name, for an element that may be repeated."""
    tag = SR + name
    return [child for child in parent if child.tag == tag]


def text_of(element: Element) -> str:
    """Return the text of an element, trimmed.

    XML Schema trims all but plain strings; around those of DUIS (codes, makes, models) space means nothing.
    """
    # With an element inside, `.text` would be only what stands before it.
    if len(element):
        raise ElementError(element, f"{name_of(element)} has an element inside its text")
    text = element.text
    return "" if text is None else text.strip(_XML_SPACE)


def value_of(element: Element, parse: Callable[[str], Value]) -> Value:
    """Return what `parse` makes of the text of an element."""
    try:
        return parse(text_of(element))
    except DecodeError as error:
        raise ElementError(element, f"{name_of(element)}: {error.reason}") from error


class Fields:
    """The children of `parent`, read by name, each with the function that makes a value of its text.

    Raises: ElementError when a mandatory element is missing, one is repeated, or a text is not what it should be.
    """

    __slots__ = ("_children", "_parent")

    def __init__(self, parent: Element) -> None:
        self._parent = parent
        self._children = {child.tag: child for child in parent}
        if len(self._children) != len(parent):
            raise ElementError(parent, f"{name_of(parent)} repeats an element")

    def find(self, name: str) -> Element | None:
        """Return the child of that name, if there is one."""
        return self._children.get(SR + name)

    def element(self, name: str) -> Element:
        """Return the child of that name."""
        child = self._children.get(SR + name)
        if child is None:
            raise ElementError(self._parent, f"{name_of(self._parent)} has no {name}")
        return child

    def required(self, name: str, parse: Callable[[str], Value]) -> Value:
        """Return the value of the child of that name."""
        return value_of(self.element(name), parse)

    def optional(self, name: str, parse: Callable[[str], Value]) -> Value | None:
        """Return the value of the child of that name, or None when there is no such child."""
        child = self._children.get(SR + name)
        return None if child is None else value_of(child, parse)

    def chosen(self, names: Container[str], *, beside: Container[str] = ()) -> Element | None:
        """Return the one child whose tag is among `names`, else the first that is not among `beside`, if any.

        For a choice that a later schema may widen: a stranger is found only when nobody is there whom we know.
        """
        known = [child for tag, child in self._children.items() if tag in names]
        if len(known) > 1:
            raise ElementError(known[1], f"{name_of(self._parent)} has both {name_of(known[0])} and {name_of(known[1])}")
        if known:
            return known[0]
        return next((child for tag, child in self._children.items() if tag not in beside), None)
