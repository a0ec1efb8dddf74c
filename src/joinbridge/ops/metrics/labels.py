"""The labels of metrics: every value comes from a closed list, an allow-list of the configuration, or the most frequent devices."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from joinbridge.core.attempt import LossTrigger
from joinbridge.core.effects import Effect, NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin, UpdateInventory
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.vocabulary import INTENT_OF_SRV

UNKNOWN = "unknown"
OTHER = "other"

SOURCES = ("sr.request", "sr.response", "csp.alert", OTHER)

SRVS = (*INTENT_OF_SRV, UNKNOWN)


class Leg(StrEnum):
    """Where on its way an answer was lost, as far as what told us shows (docs/domain.md, "Where answers get lost")."""

    RADIO = "radio"  # the hub dropped it
    BEFORE_DSP = "before_dsp"  # the DSP says that it has none: radio, hub or wide-area network
    UNKNOWN = UNKNOWN  # it just did not come


LEG_OF: Mapping[LossTrigger, Leg] = {
    LossTrigger.DISCARDED: Leg.RADIO,
    LossTrigger.E21: Leg.BEFORE_DSP,
    LossTrigger.N13: Leg.BEFORE_DSP,
    LossTrigger.DEADLINE: Leg.UNKNOWN,
}

EFFECTS: Mapping[type[Effect], str] = {
    UpdateInventory: "inventory_update",
    ReissueJoin: "retry",
    ProbeDeviceLog: "probe",
    NotifySupplier: "notice",
    PublishEvent: "event",
}


def effect_label(effect: Effect) -> str:
    """Return what an effect is called in metrics."""
    return EFFECTS[type(effect)]


def source_label(source: str) -> str:
    """Return the source of a message, or `other`."""
    return source if source in SOURCES else OTHER


def srv_label(srv: str | None) -> str:
    """Return the service reference of an attempt, or `unknown` while only its Pre-Command was seen."""
    return srv if srv in SRVS else UNKNOWN


class Regions:
    """The CSP regions that the configuration allows; every other is `other`, none is `unknown`."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = {region.casefold() for region in allowed}
        self.labels = (*sorted(self._allowed), OTHER, UNKNOWN)

    def label(self, region: str | None) -> str:
        """Return the label of `region`, however it is capitalised."""
        if not region:
            return UNKNOWN
        folded = region.casefold()
        return folded if folded in self._allowed else OTHER


@dataclass(frozen=True, slots=True)
class Kind:
    """What devices of one kind have in common."""

    make: str
    model: str
    firmware: str

    @classmethod
    def of(cls, device: DeviceDescription | None) -> Kind:
        """Return the kind of `device`; what is not known of it is `unknown`."""
        if device is None:
            return cls(UNKNOWN, UNKNOWN, UNKNOWN)
        return cls(*(_printable(word) for word in (device.manufacturer, device.model, device.firmware)))


OTHERS = Kind(OTHER, OTHER, OTHER)

LONGEST = 64
"""Of a make, model or firmware; the inventory's own fields are shorter."""


def _printable(word: str | None) -> str:
    return "".join(char if char.isprintable() else "?" for char in word[:LONGEST]) if word else UNKNOWN


class TopKinds:
    """Which kinds of device have series of their own: the `limit` most frequent, so that metrics stay bounded whatever devices say.

    A kind that was among the others is taken in when there is room, or in the place of one that it outnumbers twice over.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: Tally[Kind] = Tally()
        self._own: set[Kind] = set()

    def admit(self, kind: Kind) -> tuple[Kind, Kind | None]:
        """Count one device of `kind`; return the kind to count it under, and one that has just lost its own series, if any."""
        self._seen[kind] += 1
        if kind in self._own:
            return kind, None
        if len(self._own) < self._limit:
            self._own.add(kind)
            return kind, None
        self._forget_the_rarest()
        least = min(self._own, key=lambda own: self._seen[own], default=None)
        if least is None or self._seen[kind] <= 2 * self._seen[least]:
            return OTHERS, None
        self._own.remove(least)
        self._own.add(kind)
        return kind, least

    def _forget_the_rarest(self) -> None:
        # Ten candidates for each place: what nobody else counts must not grow for ever either.
        if len(self._seen) > 10 * self._limit:
            kept = Tally(dict(self._seen.most_common(5 * self._limit)))
            self._seen = kept + Tally({own: self._seen[own] for own in self._own if own not in kept})
