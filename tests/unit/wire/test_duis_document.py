"""Hostile and broken XML: refused with a DecodeError that says where, and nothing outside the document is touched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from joinbridge.errors import DecodeError
from joinbridge.wire.duis.document import MAX_DOCUMENT_BYTES
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import DuisRequest, JoinService, OtherService
from support.duis_xml import DISPLAY, JOIN_SERVICE, METER, REQUEST_ID, request_xml

JOIN = request_xml(JOIN_SERVICE)


def refusal(data: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        parse_duis(data)
    return caught.value


def other_device(data: bytes) -> str:
    document = parse_duis(data)
    assert isinstance(document, DuisRequest)
    assert isinstance(document.body, JoinService)
    return document.body.other_device


def test_entities_that_multiply_are_refused_before_they_are_read() -> None:
    entities = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10))
    bomb = b'<!DOCTYPE x [<!ENTITY e0 "lol">' + entities + b"]>" + JOIN.replace(DISPLAY.encode(), b"&e9;")

    assert "document type declaration" in refusal(bomb).reason


@pytest.mark.parametrize(
    "doctype",
    [
        b'<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/hostname">]>',
        b'<!DOCTYPE x [<!ENTITY % far SYSTEM "http://192.0.2.1/far.dtd"> %far;]>',
        b'<!DOCTYPE x PUBLIC "-//X//Y" "http://192.0.2.1/y.dtd">',
        b"<!DOCTYPE x>",
        b"<!DOCTYPE\nx>",
    ],
)
def test_a_document_type_declaration_is_refused_at_its_offset(doctype: bytes) -> None:
    error = refusal(b'<?xml version="1.0"?>' + doctype + JOIN.replace(DISPLAY.encode(), b"&file;"))

    assert "document type declaration" in error.reason
    assert error.offset == len(b'<?xml version="1.0"?>')


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037", "utf-7"])
def test_a_declaration_cannot_hide_in_another_encoding(encoding: str) -> None:
    hidden = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY e "{DISPLAY}">]>' + JOIN.decode()

    refusal(hidden.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp037"])
def test_an_encoding_that_is_not_utf_8_is_refused(encoding: str) -> None:
    assert "not well-formed" in refusal(JOIN.decode().encode(encoding)).reason


def test_a_declared_encoding_does_not_matter_where_it_means_the_same() -> None:
    assert other_device(b'<?xml version="1.0" encoding="ISO-8859-1"?>' + JOIN) == DISPLAY


def test_a_byte_order_mark_is_passed_by() -> None:
    assert other_device(b"\xef\xbb\xbf" + JOIN) == DISPLAY


def test_an_undeclared_entity_is_refused() -> None:
    assert "not well-formed" in refusal(JOIN.replace(DISPLAY.encode(), b"&secret;")).reason


def test_an_inclusion_is_an_element_like_any_other(tmp_path: Path) -> None:
    target = tmp_path / "included.xml"
    target.write_text(JOIN_SERVICE)
    include = f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{target.as_uri()}"/>'

    document = parse_duis(request_xml(include))

    assert isinstance(document, DuisRequest)
    assert document.body == OtherService(element="{http://www.w3.org/2001/XInclude}include")


def test_a_stylesheet_or_schema_location_is_not_followed() -> None:
    located = request_xml(
        JOIN_SERVICE,
        root=' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="x http://192.0.2.1/x.xsd"',
    )

    assert other_device(b'<?xml-stylesheet href="http://192.0.2.1/x.xsl"?>' + located) == DISPLAY


def test_deep_nesting_is_refused() -> None:
    assert "depth" in refusal(request_xml("<a>" * 5000 + "</a>" * 5000)).reason


def test_nesting_within_bounds_is_another_service() -> None:
    document = parse_duis(request_xml("<a>" * 100 + "</a>" * 100))

    assert isinstance(document, DuisRequest)
    assert document.body == OtherService(element="{}a")


@pytest.mark.parametrize(
    "root",
    [
        ' a="' + "x" * 900_000 + '"',
        "".join(f' a{n}=""' for n in range(60_000)),
        "".join(f' xmlns:n{n}="http://example.com/{n}"' for n in range(20_000)),
    ],
    ids=["one huge", "many", "many namespaces"],
)
def test_attributes_may_be_huge_but_say_nothing(root: str) -> None:
    assert other_device(request_xml(JOIN_SERVICE, root=root)) == DISPLAY


def test_what_is_larger_than_any_message_is_refused_unread() -> None:
    error = refusal(b"<" * (2 * 1024 * 1024))

    assert "2097152 bytes" in error.reason
    assert error.offset == 0


def test_the_largest_message_is_read() -> None:
    filler = b"<!--" + b" " * (MAX_DOCUMENT_BYTES - len(JOIN) - 7) + b"-->"

    assert other_device(filler + JOIN) == DISPLAY
    assert "bytes" in refusal(filler + b" " + JOIN).reason


@pytest.mark.parametrize(
    "split",
    ["{}<!-- x -->{}", "{}<?x y?>{}", "{}<![CDATA[]]>{}", "<![CDATA[{}]]>{}", "<!--{}-->{}{}", "{}<!-- a --><!-- b -->{}"],
)
@pytest.mark.parametrize("at", [0, 12, 20, 22])
def test_a_value_is_never_cut_short_where_something_stands_inside_it(split: str, at: int) -> None:
    start, end = DISPLAY[:at], DISPLAY[at:]
    inside = f"<!--{METER}-->{start}{end}" if split.startswith("<!--{}") else split.format(start, end)

    assert other_device(JOIN.replace(DISPLAY.encode(), inside.encode())) == DISPLAY


def test_a_value_with_an_element_inside_is_refused() -> None:
    error = refusal(JOIN.replace(DISPLAY.encode(), f"{DISPLAY}<x/>{METER}".encode()))

    assert error.reason == "OtherDeviceID has an element inside its text"


def test_comments_and_instructions_may_stand_anywhere() -> None:
    noise = b"<!-- a --><?b c?>\n"
    data = noise + JOIN.replace(b"><", b">" + noise + b"<") + noise

    assert other_device(data) == DISPLAY


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        b"\x00",
        b"<",
        b"<a",
        b"not xml",
        b"{}",
        b"\xff\xfe",
        JOIN + b"\x00",
        JOIN + JOIN,
        JOIN.replace(b"8.7.2", b"8\x007.2"),
        JOIN.replace(b"8.7.2", b"8.7\xff2"),
        JOIN.replace(b"8.7.2", b"&#0;"),
        JOIN.replace(b"8.7.2", b"&#xD800;"),
        JOIN.replace(b"xmlns:sr", b"xmlns:other"),
        JOIN.replace(b"schemaVersion", b'schemaVersion="5.4" schemaVersion'),
        b' <?xml version="1.0"?>' + JOIN,
    ],
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    error = refusal(data)

    assert "not well-formed" in error.reason
    assert 0 <= error.offset <= len(data)


def test_a_syntax_error_is_pointed_at() -> None:
    data = b"<a>\n<b>\n  <c></b>\n</a>"

    error = refusal(data)

    assert data.index(b"</b>") <= error.offset <= data.index(b"</b>") + len(b"</b>")


def test_what_is_wrong_in_an_element_is_pointed_at_by_its_line() -> None:
    data = JOIN.replace(b"<sr:OtherDeviceID>", b"\n\n<sr:OtherDeviceID>").replace(DISPLAY.encode(), b"00-DB")

    error = refusal(data)

    assert error.reason == "OtherDeviceID: not an EUI-64: '00-DB'"
    assert error.offset == data.index(b"<sr:OtherDeviceID>")


def test_a_missing_element_is_named_and_its_parent_pointed_at() -> None:
    data = JOIN.replace(f"<sr:RequestID>{REQUEST_ID}</sr:RequestID>".encode(), b"").replace(b"<sr:Header", b"\n<sr:Header")

    error = refusal(data)

    assert error.reason == "Header has no RequestID"
    assert error.offset == data.index(b"<sr:Header")


def test_a_reason_stays_short_however_long_the_input() -> None:
    name = "x" * 40_000

    for data in (f"<{name}/>".encode(), f"<{name}>".encode(), request_xml(f"<{name}/>", header="")):
        assert len(refusal(data).reason) < 250


def test_threads_may_read_at_the_same_time() -> None:
    broken = JOIN[:-1]

    def read(number: int) -> bool:
        if number % 3 == 0:
            return "not well-formed" in refusal(broken).reason
        return other_device(JOIN) == DISPLAY

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert all(pool.map(read, range(2000)))
