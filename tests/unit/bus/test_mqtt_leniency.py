"""What paho refuses although MQTT allows it is read; what is not there in full is still refused."""

from __future__ import annotations

import pytest
from paho.mqtt import properties
from paho.mqtt.exception import MalformedPacket

from joinbridge.bus.mqtt.leniency import be_lenient


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("größer".encode(), "größer"),
        ("\ufeffx".encode(), "\ufeffx"),
        (b"a\0b", "a\0b"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_a_text_is_read_as_far_as_it_is_one(octets: bytes, text: str) -> None:
    be_lenient()
    field = len(octets).to_bytes(2, "big") + octets

    assert properties.readUTF(field + b"more", len(field) + 4) == (text, len(field))  # type: ignore[no-untyped-call]  # paho types not all


@pytest.mark.parametrize(("field", "most"), [(b"\0", 1), (b"\0\x05\xff\xfe", 4), (b"\0\x02\xff\xfe", 3)])
def test_a_text_that_is_cut_is_refused(field: bytes, most: int) -> None:
    be_lenient()

    with pytest.raises(MalformedPacket):
        properties.readUTF(field, most)  # type: ignore[no-untyped-call]
