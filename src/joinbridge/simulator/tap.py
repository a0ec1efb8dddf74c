"""The message bus as the estate uses it: publications on their way, and what may become of them there."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from functools import partial
from random import Random

from joinbridge.ports import Publication
from joinbridge.simulator.agenda import Agenda
from joinbridge.simulator.composer import BASE64, HEX, OCTETS, XML
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.homes import Home
from joinbridge.simulator.parties import Region
from joinbridge.simulator.truth import Happening, Truth

SERVICE_EXCHANGE = "dsp.sr"
ALERT_EXCHANGE = "csp.alerts"
DCC_ALERT_ROUTE = "response.alert"
"""Alerts of the DSP itself belong to no service; they travel with its responses."""

AT_ONCE = timedelta(0)

_USUAL_CODING = {Region.NORTH: HEX, Region.CENTRAL: BASE64, Region.SOUTH: OCTETS}
_CODINGS = (HEX, BASE64, OCTETS)
_USUAL = 0.8  # share of a region's alerts in its usual coding


class Tap:
    """Hands publications to whoever reads the bus, each at the moment when the bus delivers it."""

    def __init__(self, agenda: Agenda, faults: Faults, truth: Truth, seed: int) -> None:
        self._agenda = agenda
        self._faults = faults
        self._truth = truth
        self._prefix = f"estate-{seed}-"
        self._number = 0
        self._delivered: list[Publication] = []

    def take(self) -> list[Publication]:
        """Return what was delivered since the last call, in the order of delivery."""
        taken = self._delivered.copy()
        self._delivered.clear()
        return taken

    def service(
        self,
        home: Home,
        route: str,
        body: bytes,
        at: datetime,
        *,
        sure: bool = False,
        held_for: timedelta | None = None,
    ) -> datetime | None:
        """Publish a DUIS document at `at`; return when the bus delivers it intact, None when it never does.

        `held_for` is how long a queue holds it up, by chance if None; `sure` makes the original follow a corrupted copy.
        """
        return self._publish(home, SERVICE_EXCHANGE, route, body, XML, at, sure=sure, held_for=held_for)

    def alert(self, home: Home, code: int, gbcs: bytes, at: datetime, wrapped: bytes | None = None) -> datetime | None:
        """Publish a device's alert, in the CSP's own coding or as the DUIS document `wrapped`; return as `service` does."""
        bus = home.dice.bus
        usual, choice = bus.random() < _USUAL, bus.choice(_CODINGS)
        coding = _USUAL_CODING[home.region] if usual else choice
        body = wrapped if wrapped is not None else _coded(gbcs, coding)
        content_type = coding if wrapped is None else XML
        return self._publish(home, ALERT_EXCHANGE, f"{home.region}.{code:04X}", body, content_type, at)

    def _publish(
        self,
        home: Home,
        exchange: str,
        route: str,
        body: bytes,
        content_type: str,
        at: datetime,
        *,
        sure: bool = False,
        held_for: timedelta | None = None,
    ) -> datetime | None:
        faults, bus = self._faults, home.dice.bus
        # Always the same number of draws, so that one fault more or less leaves the others where they were.
        latency, twice, second, slow, how_slow, broken, follows = (bus.random() for _ in range(7))
        self._number += 1
        publication = Publication(
            key=f"{self._prefix}{self._number}",
            exchange=exchange,
            route=route,
            body=body,
            content_type=content_type,
            at=at,
            # What a tap in partitions is divided by: the hub stands for its home, whose messages stay together.
            headers={"device": home.hub.device_id},
        )
        delivered_at = at + (held_for or AT_ONCE) + timedelta(seconds=0.02 + 0.2 * latency)
        if held_for is None and slow < faults.queue_delayed:
            delivered_at += how_slow * faults.queue_delay_max
            self._truth.count(Happening.QUEUE_DELAYED)
        if broken < faults.corrupted:
            self._truth.count(Happening.CORRUPTED)
            self._deliver(_corrupted(publication), delivered_at)
            if not sure and follows >= faults.corrupted_original_follows:
                return None
            delivered_at += timedelta(seconds=1 + 4 * second)
        self._deliver(publication, delivered_at)
        if twice < faults.duplicated:
            self._truth.count(Happening.DUPLICATED)
            self._deliver(publication, delivered_at + timedelta(seconds=600 * second**3))
        return delivered_at

    def _deliver(self, publication: Publication, at: datetime) -> None:
        self._agenda.at(at, partial(self._delivered.append, publication))


def _coded(gbcs: bytes, coding: str) -> bytes:
    if coding == HEX:
        return gbcs.hex().upper().encode()
    return base64.b64encode(gbcs) if coding == BASE64 else gbcs


def _corrupted(publication: Publication) -> Publication:
    """Return a damaged copy that no decoder can take for a message: cut short, or with an octet that its coding does not have."""
    body = publication.body
    random = Random(publication.key)
    where = random.randrange(len(body) // 10, len(body) - 1)
    if random.random() < 0.5:
        # An odd number of characters is neither hex nor base64, wherever the cut falls.
        damaged = body[: where | 1]
    elif publication.content_type == OCTETS:
        damaged = b"\x00" + body[1:]
    else:
        damaged = body[:where] + b"\x00" + body[where + 1 :]
    return Publication(
        key=f"{publication.key}-damaged",
        exchange=publication.exchange,
        route=publication.route,
        body=damaged,
        content_type=publication.content_type,
        at=publication.at,
        headers=publication.headers,
    )
