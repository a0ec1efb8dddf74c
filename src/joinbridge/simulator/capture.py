"""Write publications of the estate as lines of a capture."""

from __future__ import annotations

import base64

from joinbridge.ports import Publication
from joinbridge.simulator.composer import OCTETS
from joinbridge.simulator.tap import ALERT_EXCHANGE
from joinbridge.wire.capture import CaptureLine


def to_capture_line(publication: Publication) -> CaptureLine:
    """Return the line that records `publication` as the bus delivered it; a damaged text is kept as far as text can hold it."""
    alert = publication.exchange == ALERT_EXCHANGE
    kind = publication.route.partition(".")[0]
    octets = publication.content_type == OCTETS
    return CaptureLine.model_validate(
        {
            "at": publication.at,
            "source": "csp.alert" if alert else f"sr.{kind}",
            "region": kind if alert else None,
            "content_type": publication.content_type,
            "body": base64.b64encode(publication.body).decode() if octets else publication.body.decode(errors="replace"),
        }
    )
