"""Reading an HTML page in tests: what it says, and where what is in it."""

from __future__ import annotations

from lxml import etree, html


class Page:
    """A parsed page, or a part of one."""

    def __init__(self, root: etree._Element) -> None:
        self.root = root

    @property
    def text(self) -> str:
        """All it says, each run of white space as one space."""
        return " ".join(" ".join(str(piece) for piece in self.root.itertext()).split())

    def all(self, xpath: str) -> list[Page]:
        """Return the elements that `xpath` finds, in their order."""
        found = self.root.xpath(xpath)
        return [Page(each) for each in found if isinstance(each, etree._Element)] if isinstance(found, list) else []

    def one(self, xpath: str) -> Page:
        """Return the only element that `xpath` finds."""
        [found] = self.all(xpath)
        return found

    def values(self, xpath: str) -> list[str]:
        """Return the attributes or texts that `xpath` finds."""
        found = self.root.xpath(xpath)
        return [str(each) for each in found if isinstance(each, str)] if isinstance(found, list) else []


def parse(page: str | bytes) -> Page:
    """Return a parsed page."""
    return Page(html.document_fromstring(page))


def of_class(name: str, element: str = "*") -> str:
    """Return the XPath of the elements of a class."""
    return f"//{element}[contains(concat(' ', normalize-space(@class), ' '), ' {name} ')]"
