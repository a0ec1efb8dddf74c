"""The octets that fuzzing begins with: made by joinbridge's own encoders, and every input that ever was a finding.

PYTHONPATH=tests python -m fuzz.corpus     # makes the seeds anew; findings stay
"""

from __future__ import annotations

import json
import warnings
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from fuzz.targets import BETWEEN, NOON, TARGETS
from joinbridge.config import Settings
from joinbridge.core.ids import DeviceId
from joinbridge.wire.capture import CaptureLine, write_line
from joinbridge.wire.duis.write import write_duis
from joinbridge.wire.gbcs import GbcsMessage, encode_gbcs
from joinbridge.wire.payloads import _READERS, encode_payload
from support import strategies_duis, strategies_gbcs
from support.home import CAD, CHF, ESME, GPF, PPMID
from support.messages import (
    acknowledgement,
    command_failure,
    device_log,
    generic_alert,
    gpf_report,
    hub_report,
    inventory_answer,
    join_answer,
    join_request,
    request_id,
    unjoin_answer,
    unjoin_request,
)

FOLDER = Path(__file__).resolve().parent / "seeds"
FINDING = "finding"
"""How the name of an input begins that was a finding once."""


def inputs(target: str) -> Mapping[str, bytes]:
    """Return the corpus of `target`: octets by name."""
    table: Mapping[str, str] = json.loads((FOLDER / f"{target}.json").read_text("utf-8"))
    return {name: b64decode(octets) for name, octets in table.items()}


def write(target: str, corpus: Mapping[str, bytes]) -> None:
    """Make `corpus` that of `target`."""
    table = {name: b64encode(octets).decode() for name, octets in sorted(corpus.items())}
    (FOLDER / f"{target}.json").write_text(json.dumps(table, indent=0) + "\n", "utf-8")


def seeds() -> Mapping[str, Iterable[bytes]]:
    """Return what each target begins with."""
    documents = list(_drawn(strategies_duis.documents.map(write_duis), 24))
    messages = list(_every_kind())
    told = list(_story())
    return {
        "duis": [*documents, *(octets for octets in told if octets.startswith(b"<"))],
        "gbcs": [*messages, *_drawn(strategies_gbcs.messages().map(encode_gbcs), 6)],
        "message": [*documents[:6], *messages[::3], *(octets.hex().encode() for octets in messages[1::6]), *map(b64encode, messages[2::6])],
        "payload": list(_payloads()),
        "capture": list(_lines(told)),
        "history": [BETWEEN.join(told), *(BETWEEN.join(told[first : first + 3]) for first in range(0, len(told), 2))],
        "configuration": [*_configurations()],
        "environment": [b"JOINBRIDGE_MODE=live\nJOINBRIDGE_PURSUIT__MAX_PROBES=6\nJOINBRIDGE_RULES__GPF_LOG_LISTS=shadow\n"],
        "amqp": [ContentHeader(body_size=4, properties=one).marshal() for one in _properties()],
        "mqtt": [
            b"csp/north/alerts/8F12\napplication/octet-stream\nid=1\ntime=2026-03-01T12:00:00+00:00",
            b"elsewhere\n\n" + b"\n".join(f"x-joinbridge-{name}={value}".encode() for name, value in _LETTER.items()),
        ],
    }


def _drawn(strategy: st.SearchStrategy[bytes], count: int) -> Iterator[bytes]:
    """Draw the same `count` values each time."""
    found: list[bytes] = []

    @seed(count)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def draw(octets: bytes) -> None:
        found.append(octets)

    draw()
    return iter(found)


def _every_kind() -> Iterator[bytes]:
    """One message of every kind whose payload is read."""

    def made(header: tuple[int, object]) -> Callable[[GbcsMessage, bytes], bytes]:
        code, cra = header

        def make(message: GbcsMessage, content: bytes) -> bytes:
            signature = b"" if message.signature is None else message.signature
            values = {name: getattr(message, name) for name in message.__slots__}
            return encode_gbcs(GbcsMessage(**{**values, "cra": cra, "message_code": code, "content": content, "signature": signature}))

        return make

    for header in sorted(_READERS):
        contents = strategies_gbcs.payloads_of(header).map(encode_payload)
        yield list(_drawn(st.builds(made(header), strategies_gbcs.messages(), contents), 3))[-1]


def _payloads() -> Iterator[bytes]:
    readers = list(dict.fromkeys(_READERS.values()))
    for header, reader in sorted(_READERS.items(), key=lambda item: item[0]):
        first = bytes((readers.index(reader),))
        contents = strategies_gbcs.payloads_of(header).map(encode_payload)
        yield first + list(_drawn(contents, 4))[-1]


def _story() -> Iterator[bytes]:
    """What happens to some joins, and what is heard of it."""
    key = request_id(PPMID, 1)
    at = NOON + timedelta(minutes=2)
    yield inventory_answer(PPMID, ESME, GPF, CAD)
    yield join_request(PPMID, ESME, 1)
    yield acknowledgement(key)
    yield command_failure(key)
    yield join_answer(PPMID, 1)
    yield device_log(request_id(PPMID, 500), [ESME])
    yield join_request(GPF, CAD, 2)
    yield gpf_report([CAD], at)
    yield unjoin_request(GPF, CAD, 3)
    yield unjoin_answer(GPF, 3)
    yield hub_report([ESME, PPMID], at, hub=CHF)
    yield generic_alert(DeviceId(ESME), 0x8F49, at)


def _lines(told: Iterable[bytes]) -> Iterator[bytes]:
    for octets in told:
        if octets.startswith(b"<"):
            line = CaptureLine(at=NOON, source="sr.request", body=octets.decode())
        else:
            text = b64encode(octets).decode()
            line = CaptureLine(at=NOON, source="csp.alert", region="north", content_type="application/octet-stream", body=text)
        yield write_line(line)


def _configurations() -> Iterator[bytes]:
    yield b'mode = "shadow"\n[deadlines]\ngsme = "PT90M"\nfinal = "P7D"\n[rules]\ngpf-log-lists = "live"\n[amqp]\nurl = "amqp://localhost/"\n'
    # Every section with every setting that a TOML file can hold as text, number or truth.
    lines: list[str] = []
    for name, section in Settings().model_dump(mode="json").items():
        if isinstance(section, dict):
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items() if isinstance(value, str | int))]
    yield "\n".join(lines).encode()


def _properties() -> Iterator[Basic.Properties]:
    yield Basic.Properties(headers={"x-delivery-count": 2, "timestamp_in_ms": 1_772_366_400_000, "traceparent": "00-1-2-01"})
    yield Basic.Properties(headers={"x-death": [{"count": 1, "queue": "q", "time": NOON}], "octets": bytearray(b"\xff")})
    yield Basic.Properties(headers={f"x-joinbridge-{name}": value for name, value in _LETTER.items()})
    yield Basic.Properties(timestamp=NOON, message_id="k", content_type="application/xml", headers={"timestamp_in_ms": 1_772_366_400_000})


_LETTER = {
    "source": "csp.alert",
    "reason": "empty",
    "attempts": "2",
    "offset": "0",
    "route": "north.8F12",
    "region": "north",
    "first-seen": NOON.isoformat(),
    "last-seen": NOON.isoformat(),
}
"""The headers of a dead letter."""


def main() -> None:
    """Make the seeds anew."""
    warnings.simplefilter("ignore")
    made = seeds()
    for target in TARGETS:
        path = FOLDER / f"{target}.json"
        kept = {name: octets for name, octets in inputs(target).items() if name.startswith(FINDING)} if path.exists() else {}
        write(target, {**{f"seed-{number:02}": octets for number, octets in enumerate(made[target])}, **kept})


if __name__ == "__main__":
    main()
