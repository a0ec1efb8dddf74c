"""The estate: homes, hubs, DSP and Suppliers on virtual time, and the only door to them.

The same seed and parameters give the same publications, octet by octet, as long as the same commands are received at the same times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from joinbridge.core.ids import DeviceId, JoinPair, RequestId
from joinbridge.core.vocabulary import SRV_JOIN_NON_CRITICAL, SRV_READ_DEVICE_LOG
from joinbridge.errors import DecodeError
from joinbridge.ports import Publication
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda, Scripts
from joinbridge.simulator.alerts import AlertPath
from joinbridge.simulator.announcements import Announced, CommandCount, parse_announced, parse_notice
from joinbridge.simulator.csp import Csp
from joinbridge.simulator.dice import stream
from joinbridge.simulator.dsp import Dsp
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.field import Field
from joinbridge.simulator.homes import Home, build_home
from joinbridge.simulator.hubs import Hubs
from joinbridge.simulator.install import Installer, Steps
from joinbridge.simulator.inventory_answers import InventoryDesk
from joinbridge.simulator.later import CHANCES, Later, Turn, answer_notice
from joinbridge.simulator.noise import Noise
from joinbridge.simulator.tap import Tap
from joinbridge.simulator.truth import Truth
from joinbridge.simulator.users import Users
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import DuisRequest, JoinService, ReadDeviceLog

_UNJOIN_AGAIN = 0.8  # chance that a Supplier does what the notice of that kind suggests
_ANSWER_LOST = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the life of the estate is spread over virtual time, from its start.

    Homes are installed in the first `installing`, in working hours; other things happen to them until `active`; the run ends at
    `duration`, late enough for every deadline of what happened. `noise_per_home` counts occasions, of one to three messages each; `turns`
    says how likely each thing is that may happen to a home later, `checks` how likely a Supplier who is told that a command did not
    arrive reads the Device Log to see.
    """

    installing: timedelta = timedelta(days=3)
    active: timedelta = timedelta(days=6)
    duration: timedelta = timedelta(days=14)
    noise_per_home: int = 8
    turns: Mapping[Turn, float] = field(default_factory=lambda: CHANCES)
    checks: float = 0.0


class Estate:
    """A world of `homes` homes that begins at `start`.

    `advance` and `next_at` drive it; `receive` takes what joinbridge sends; `smi` is the join relation of the inventory, which both
    sides write; `truth` is what really happened, and `announced` what joinbridge said of it.
    """

    def __init__(self, seed: int, homes: int, faults: Faults, start: datetime, pace: Pace | None = None) -> None:
        pace = pace or Pace()
        self.truth = Truth()
        self.smi: dict[JoinPair, bool] = {}
        self.announced: list[Announced] = []
        self.commands = CommandCount()
        self.ends_at = start + pace.duration
        self._seed = seed
        self._agenda = Agenda(start)
        self._build(faults, pace)
        self._homes_by_device: dict[DeviceId, Home] = {}
        self.homes = [build_home(seed, index, faults, self.truth, start) for index in range(homes)]
        for home in self.homes:
            self._settle(home, start, pace)

    def next_at(self) -> datetime | None:
        """Return when something happens next by itself, None when nothing does."""
        return self._agenda.next_at()

    def advance(self, to: datetime) -> list[Publication]:
        """Let time pass up to and including `to`; return what the bus delivered meanwhile, in the order of delivery.

        `at` of a publication is when it was published, which may be long before.
        """
        self._agenda.run_until(to)
        return self._tap.take()

    def receive(self, route: str, body: bytes, at: datetime) -> None:
        """Take what joinbridge sent: `retry.join`, `probe.device-log`, `notice.supplier` or `join.<state>`. It takes effect at `at`.

        Raises: DecodeError when the body is not what the route promises, or the route is none of these.
        """
        if route == "retry.join":
            self.commands.retries += 1
            request = _request(body, JoinService)
            self._agenda.at(at, lambda: self._reissue(request))
        elif route == "probe.device-log":
            self.commands.probes += 1
            probe = _request(body, ReadDeviceLog)
            self._agenda.at(at, lambda: self._probe(probe))
        elif route == "notice.supplier":
            self.commands.notices += 1
            notice = parse_notice(body)
            self._agenda.at(at, lambda: self._notice(notice.request_id, notice.kind))
        elif route.startswith("join."):
            self.announced.append(parse_announced(body))
        else:
            raise DecodeError(f"nobody here listens to {route!r}")

    def correct(self, pair: JoinPair, *, joined: bool) -> None:
        """Write the SMI on joinbridge's behalf, at the moment that the estate has reached."""
        self._dsp.set_smi(pair, joined=joined, aided=True)

    def _build(self, faults: Faults, pace: Pace) -> None:
        """Make the actors and connect them."""
        agenda, truth = self._agenda, self.truth
        scripts = Scripts(agenda)
        self._scripts = scripts
        self._tap = Tap(agenda, faults, truth, self._seed)
        alerts = AlertPath(agenda, self._tap, faults, truth)
        hubs = Hubs(agenda, alerts, truth)
        csp = Csp(agenda, alerts, Field(agenda, hubs, truth), faults, truth)
        self._dsp = Dsp(agenda, self._tap, csp, scripts, faults, truth, self.smi)
        self._users = Users(agenda, self._tap, self._dsp, scripts, faults, truth)
        desk = InventoryDesk(agenda, faults, truth, self._tap, self._users)
        installer = Installer(agenda=agenda, users=self._users, dsp=self._dsp, desk=desk, checks=pace.checks)
        self._later = Later(installer=installer, hubs=hubs, faults=faults, truth=truth, chances=pace.turns)
        self._noise = Noise(agenda, self._tap, alerts, self._users)

    def _settle(self, home: Home, start: datetime, pace: Pace) -> None:
        """Plan the life of a home: installed in working hours, then whatever comes."""
        random = stream(self._seed, "installed", home.index)
        day_s = random.randrange(max(pace.installing.days, 1)) * 86_400
        installed_at = start + timedelta(seconds=day_s + random.uniform(8, 17) * 3600)
        until = start + pace.active
        self._scripts.start(installed_at, self._life(home, until))
        self._noise.spread(home, pace.noise_per_home, installed_at, until)

    def _life(self, home: Home, until: datetime) -> Steps:
        yield from self._later.installer.install(home)
        yield from self._later.live(home, until)

    def _reissue(self, request: DuisRequest) -> None:
        code = self._dsp.reissue(request.request_id)
        self._acknowledge(request.request_id, SRV_JOIN_NON_CRITICAL, code)

    def _probe(self, request: DuisRequest) -> None:
        home = self._home(request.request_id.device)
        self._acknowledge(request.request_id, SRV_READ_DEVICE_LOG, "E19" if home is None else "I99")
        if home is not None:
            self._dsp.probe(home, request.request_id)

    def _acknowledge(self, request_id: RequestId, srv: str, code: str) -> None:
        home = self._home(request_id.device)
        if home is not None:
            at = self._agenda.now + timedelta(seconds=0.25)
            self._tap.service(home, f"response.{srv}", composer.acknowledgement(request_id, srv, code, at), at)

    def _notice(self, request_id: RequestId, kind: str) -> None:
        attempt = self.truth.attempts.get(request_id)
        home = self._home(request_id.device)
        if attempt is None or home is None:
            return
        random = stream(self._seed, "notice", request_id, kind)
        will, wait_s = random.random(), random.uniform(600, 20_000)
        chance = {"unjoin-again": _UNJOIN_AGAIN, "answer-lost": _ANSWER_LOST}.get(kind, 0.0)
        if will < chance and self._agenda.now < self.ends_at - timedelta(days=8):
            script = answer_notice(self._later, home, attempt.intent, attempt.pair, wait_s)
            self._scripts.start(self._agenda.now, script)

    def _home(self, device: DeviceId) -> Home | None:
        """Return the home that has, or had, a device."""
        if device not in self._homes_by_device:
            self._homes_by_device = {each: home for home in self.homes for each in home.devices}
        return self._homes_by_device.get(device)


def _request(body: bytes, service: type) -> DuisRequest:
    document = parse_duis(body)
    if not isinstance(document, DuisRequest) or not isinstance(document.body, service):
        raise DecodeError(f"not a request for {service.__name__}")
    return document
