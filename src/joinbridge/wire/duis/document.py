"""From octets to one XML tree, safely, and from a place in that tree back to a byte offset.

Nothing outside the document can be reached and nothing inside it expands: no document type declaration is let through,
so there are no entities, and XInclude is never processed. Depth and the length of names are bounded by libxml2
(`huge_tree` stays off), size by `MAX_DOCUMENT_BYTES`. docs/decisions/0003-xml-by-lxml.md says why it is lxml.
"""

from __future__ import annotations

from lxml import etree
from lxml.etree import _Element

from joinbridge.errors import DecodeError

Element = _Element  # lxml has no public name for the type of what its parser returns

MAX_DOCUMENT_BYTES = 1 << 20
"""The largest messages of the network have about 1 MB (docs/domain.md, "Volumes"); a Join has 2 KB."""

# One parser may serve all threads: lxml locks it around each document. Of a document only its names stay behind, interned.
#
# `encoding` overrules what the document declares. DUIS is UTF-8; a document in UTF-16, EBCDIC or UTF-7 is thereby a
# syntax error, and the search for a document type declaration below sees what the parser sees. `remove_comments` joins
# the text on either side of a comment, so that none can cut a value short. `collect_ids` would keep a table of xml:id.
_PARSER = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    no_network=True,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
    collect_ids=False,
)


class ElementError(Exception):
    """Inside this package only: `element` is not what DUIS says. `parse_duis` makes a DecodeError of it."""

    def __init__(self, element: Element, reason: str) -> None:
        super().__init__(reason)
        self.element = element
        self.reason = reason

    def located_in(self, data: bytes) -> DecodeError:
        """Return the error to raise: it points at the line on which the element starts."""
        line: int = self.element.sourceline  # type: ignore[assignment] # lxml-stubs 0.5 gives it no type
        return DecodeError(self.reason, _line_offset(data, line))


def read_document(data: bytes) -> Element:
    """Return the root element of the XML document `data`.

    Raises: DecodeError when it is not well-formed, has a document type declaration, or exceeds `MAX_DOCUMENT_BYTES`.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise DecodeError(f"{len(data)} bytes, more than the {MAX_DOCUMENT_BYTES} of the largest DUIS message")
    # Refused before anything is parsed. Elsewhere these words can stand only in a comment or a CDATA section, where no
    # DUIS sender has a use for them.
    doctype = data.find(b"<!DOCTYPE")
    if doctype >= 0:
        raise DecodeError("has a document type declaration", doctype)
    try:
        return etree.fromstring(data, _PARSER)
    except etree.XMLSyntaxError as error:
        offset = _line_offset(data, error.lineno or 1) + (error.offset or 0)
        words = str(error).partition(", line ")[0].split()
        raise DecodeError(f"not well-formed: {' '.join(words)[:120]}", min(offset, len(data))) from error


def _line_offset(data: bytes, line: int) -> int:
    """Return the offset at which the line (counted from 1) starts; that of the last line when there are fewer."""
    return len(data) - len(data.split(b"\n", line - 1)[-1])
