"""Messages around a content, for tests that care about the content."""

from __future__ import annotations

from joinbridge.core.ids import Eui64
from joinbridge.core.vocabulary import Cra
from joinbridge.wire.gbcs import GbcsMessage

DEVICE = Eui64("0A-1B-2C-3D-4E-5F-60-71")
REMOTE = Eui64("F0-E1-D2-C3-B4-A5-96-87")
OTHER = Eui64("00-DB-12-34-56-78-90-9A")


def message_with(content: bytes | str, code: int, cra: Cra, *, content_offset: int = 0) -> GbcsMessage:
    """Return a message between `REMOTE` and `DEVICE` that carries `content` (octets, or hex with spaces)."""
    octets = bytes.fromhex(content) if isinstance(content, str) else content
    originator, recipient = (REMOTE, DEVICE) if cra is Cra.COMMAND else (DEVICE, REMOTE)
    return GbcsMessage(
        cra=cra,
        counter=1,
        originator=originator,
        recipient=recipient,
        message_code=code,
        content=octets,
        content_offset=content_offset,
    )
