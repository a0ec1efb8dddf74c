"""Reading a property whose text has U+FEFF in it, which MQTT allows and paho takes for a malformed packet.

paho ends the connection for it; the broker sends the message again, and so on for ever: one message of anybody's would stop the intake.
"""

from __future__ import annotations

from paho.mqtt import properties
from paho.mqtt.exception import MalformedPacket

_LENGTH_OCTETS = 2
_strictly = properties.readUTF


def be_lenient() -> None:
    """Have paho read every text that is there in full, as far as it is text. For the whole process. Idempotent."""
    properties.readUTF = _text


def _text(buffer: bytes, most: int) -> tuple[str, int]:
    try:
        text, size = _strictly(buffer, most)  # type: ignore[no-untyped-call]  # paho types not all
    except (MalformedPacket, UnicodeDecodeError):
        size = _LENGTH_OCTETS + int.from_bytes(buffer[:_LENGTH_OCTETS], "big")
        if size > min(most, len(buffer)):
            raise
        text = bytes(buffer[_LENGTH_OCTETS:size]).decode("utf-8", errors="replace")
    return text, size
