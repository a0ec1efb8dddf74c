"""A tiny estate with the truth in it: one device that carries out commands in order, a network that loses, delays and reorders.

The engine sees only what reaches the bus, and acts only through its effects. The rules of the game, all from docs/domain.md:

* Every request is published before its command is sent. Its message may wait in a queue, for at most `queue_skew`.
* A device accepts only rising counters from each originator on the wire. A command is carried out at most `max_transit` after it was sent.
* Answers and reports may be lost, published late (up to `max_transit`), delivered late (any time), duplicated and in any order. The bus
  time of a message is when it was published.
* A reported loss of a command (8F2C) is true. Nothing but an Unjoin removes an entry.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from random import Random

from joinbridge.core import facts
from joinbridge.core.case import Decision
from joinbridge.core.effects import ProbeDeviceLog, ReissueJoin, UpdateInventory
from joinbridge.core.facts import Fact, Sighting
from joinbridge.core.ids import CommandKey, DeviceId, Eui64, JoinPair, MessageKey, RequestId
from joinbridge.core.pair import HELD_JOINED, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.relevance import DECISIVE
from joinbridge.core.vocabulary import (
    SRV_JOIN_CRITICAL,
    SRV_JOIN_NON_CRITICAL,
    SRV_UNJOIN_CRITICAL,
    SRV_UNJOIN_NON_CRITICAL,
    AlertCode,
    Cra,
    Intent,
    MessageCode,
)
from support.home import ACB, CAD, GPF, HCALCS, OTHER_SUPPLIER, START, SUPPLIER, TYPES, entries, milliseconds
from support.world import World

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What kind of history to make: how wild it is, and what may happen in it.

    In a `calm` one commands and answers take two seconds, so that the order on the bus is the order at the device.
    """

    target: DeviceId
    commands: int = 8
    span_s: float = 6 * _HOUR_S
    unjoins: bool = True
    loss: float = 0.3
    lateness: float = 0.3
    calm: bool = False


@dataclass(slots=True, kw_only=True)
class Order:
    """A Join or Unjoin that was asked for, and what became of it."""

    request_id: RequestId
    intent: Intent
    pair: JoinPair
    critical: bool
    fronted: bool
    processed: bool = False  # the engine has seen its submission
    removed_at: datetime | None = None
    succeeded_at: datetime | None = None


@dataclass
class Estate:
    """Lives through one history; `problems` collects what must not be."""

    random: Random
    kind: Kind
    policy: Policy = field(default_factory=Policy)
    problems: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = START
        self.world = World(policy=self.policy, checks=[self._check])
        self.agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self.numbers = count()
        self.joined: dict[JoinPair, datetime] = {}
        self.smi: set[JoinPair] = set()
        self.unseen: set[JoinPair] = set()
        self.orders: list[Order] = []
        self.accepted: dict[Eui64, int] = {}
        self.issued: dict[Eui64, int] = {}
        self.counters: dict[Eui64, int] = {}
        self.security: list[facts.LoggedEvent] = []
        self.handled = 0
        self.carried_out = 0
        self.delivered: list[Sighting] = []
        self.device_offset = timedelta(seconds=self.random.uniform(-50, 50))
        self.our_offset = timedelta(seconds=self.random.uniform(0, 50))
        self.clock_unset = self.random.random() < 0.1
        self.defective = self.random.random() < 0.5
        self.others = (HCALCS, CAD)

    # the history

    def live(self) -> None:
        """Let everything happen, and then everything come to rest."""
        if self.chance(0.5):
            self.publish(facts.InventoryRead(descriptions=(facts.DeviceDescription(self.kind.target, TYPES[self.kind.target]),)), sure=True)
        for _ in range(self.kind.commands):
            self.at(self.random.uniform(0, self.kind.span_s), self._something)
        self._run()

    def _run(self) -> None:
        while self.agenda or self.world.next_deadline() is not None:
            due = self.world.next_deadline()
            if self.agenda and (due is None or self.agenda[0][0] <= due.deadline.due_at - self.our_offset):
                self.now, _, action = heapq.heappop(self.agenda)
                action()
                continue
            assert due is not None
            self.now = max(self.now, due.deadline.due_at - self.our_offset)
            self.world.now = max(self.world.now, self.now + self.our_offset)
            self.world.apply(due, (due.key.request_id.device,))
            self._carry_out_effects()

    def _something(self) -> None:
        if self.chance(0.65):
            self._ask()
        elif self.chance(0.6):
            self._read(self.random.choice((SUPPLIER, OTHER_SUPPLIER)))
        elif self.kind.target == GPF:
            self._report(self.random.choice((0.0, 0.0, self._transit_s())))
        else:
            self._read_security()

    def _ask(self) -> None:
        intent = Intent.UNJOIN if self.kind.unjoins and self.chance(0.45) else Intent.JOIN
        by = self.random.choice((SUPPLIER, SUPPLIER, OTHER_SUPPLIER))
        critical, fronted = self.chance(0.3), self.chance(0.4)
        order = Order(
            request_id=RequestId(by, self.kind.target, self._counter(by)),
            intent=intent,
            pair=JoinPair(self.kind.target, self.random.choice(self.others)),
            critical=critical,
            fronted=fronted and not critical,
        )
        self.orders.append(order)
        if not critical:
            self._submit(order)
            return
        self.publish(self._requested(order, submitted=False), sure=True)
        if self.chance(0.9):
            self.at(self.random.choice((1.0, 60.0, 1800.0)), lambda: self._submit(order))

    def _submit(self, order: Order) -> None:
        self.publish(self._requested(order, submitted=True), sure=True, then=lambda: self._processed(order))
        if order.intent is Intent.UNJOIN and order.pair not in self.smi and self.chance(0.5):
            self.publish(self._acknowledged(order, "E080801"))
            return
        if self.chance(0.7):
            self.publish(self._acknowledged(order, "I99"))
        self._issue(order)

    def _issue(self, order: Order) -> None:
        wire = order.request_id
        if order.fronted:
            wire = CommandKey(ACB, self.kind.target, self._acb_counter())
        if self.chance(0.1):
            self.at(self.random.uniform(1, 60), lambda: self.publish(facts.MessageDiscarded(key=wire, cra=Cra.COMMAND)))
            return
        if self.chance(0.1):
            return  # lost on its way, and nobody says so
        if self.chance(0.2):
            self.at(self.random.uniform(30, 1800), lambda: self.publish(self._acknowledged(order, self.random.choice(("E20", "E21")))))
        self.at(self._transit_s(), lambda: self._execute(order, wire))

    def _execute(self, order: Order, wire: CommandKey) -> None:
        if not self._accept(wire):
            return
        code = self._join(order) if order.intent is Intent.JOIN else self._unjoin(order)
        self.note(f"{order.intent} {order.request_id.remote[-2:]}:{order.request_id.counter} {order.pair.other[-2:]} carried out: {code}")
        event = AlertCode.JOIN_SUCCEEDED if code == 0 else AlertCode.JOIN_FAILED
        if order.intent is Intent.JOIN:
            self.security.append(facts.LoggedEvent(self.now + self.device_offset, event))
        answer = facts.JoinAnswered(
            business_key=order.request_id,
            wire_key=wire,
            intent=order.intent,
            code=code,
            message_code=MessageCode.CS03B if order.intent is Intent.JOIN else MessageCode.CS04B,
        )
        if self.chance(self.kind.loss):
            if self.chance(0.3):
                self.publish(facts.MessageDiscarded(key=wire, cra=Cra.RESPONSE))
            return
        self.at(self._transit_s(), lambda: self._answer(order, answer))

    def _answer(self, order: Order, answer: facts.JoinAnswered) -> None:
        if answer.code == 0:
            (self.smi.add if order.intent is Intent.JOIN else self.smi.discard)(order.pair)
        if self.chance(0.95):
            self.publish(answer)
        else:
            self.unseen.add(order.pair)  # the inventory knows, and nobody else

    def _join(self, order: Order) -> int:
        if order.pair in self.joined:
            return 3 if self.defective else 0
        if self.chance(0.2):
            return self.random.choice((4, 5, 13))
        self.joined[order.pair] = order.succeeded_at = self.now
        self._report(self._transit_s())
        return 0

    def _unjoin(self, order: Order) -> int:
        if order.pair not in self.joined:
            return 1
        if self.chance(0.1):
            return 2
        del self.joined[order.pair]
        order.removed_at = self.now
        self._report(self._transit_s())
        return 0

    def _read(self, by: Eui64, request_id: RequestId | None = None) -> None:
        key = request_id or RequestId(by, self.kind.target, self._counter(by))
        wire = key
        if key.remote == ACB or self.chance(0.3):
            wire = CommandKey(ACB, self.kind.target, self._acb_counter())
        if self.chance(self.kind.loss / 3):
            return
        self.at(self._transit_s(), lambda: self._look(key, wire))

    def _look(self, key: RequestId, wire: CommandKey) -> None:
        if not self._accept(wire) or self.chance(self.kind.loss / 3):
            return
        listed = entries(*(p.other for p in self.joined))
        read = facts.DeviceLogRead(business_key=key, wire_key=wire, entries=None if self.chance(0.05) else listed)
        self.note(f"log read: {[e.other[-2:] for e in listed]}")
        self.at(self._transit_s(), lambda: self.publish(read))

    def _report(self, transit_s: float) -> None:
        if self.kind.target != GPF or self.chance(self.kind.loss):
            return
        told_at = (datetime(2015, 1, 1, tzinfo=START.tzinfo) if self.clock_unset else self.now + self.device_offset).replace(microsecond=0)
        report = facts.GpfLogReported(device=GPF, device_time=told_at, entries=entries(*(p.other for p in self.joined)))
        self.at(transit_s, lambda: self.publish(report))

    def _read_security(self) -> None:
        key = RequestId(SUPPLIER, self.kind.target, self._counter(SUPPLIER))
        logged = tuple(self.security)
        read = facts.EventLogRead(business_key=key, wire_key=key, kind=facts.LogKind.SECURITY, entries=logged)
        self.at(self._transit_s(), lambda: self.publish(read))

    # the way to the engine

    def publish(self, fact: Fact, *, sure: bool = False, then: Callable[[], None] | None = None) -> None:
        """Publish a message now; the engine gets it after a while in a queue, perhaps twice. Requests are `sure` to come, and soon."""
        sighting = Sighting(fact=fact, key=MessageKey(f"message-{next(self.numbers)}"), at=self.now, source="sr.response")
        self.note(f"published {sighting.key}: {fact}")
        for _ in range(2 if self.chance(0.15) else 1):
            wait_s = 0.0
            if self.chance(self.kind.lateness):
                limit_s = self.policy.queue_skew.total_seconds() if sure else self.random.choice((60.0, _HOUR_S, _DAY_S))
                wait_s = self.random.uniform(0, limit_s)
            self.at(wait_s, lambda: self._deliver(sighting, then))

    def _deliver(self, sighting: Sighting, then: Callable[[], None] | None) -> None:
        self.handled += 1
        if then is not None:
            then()
        self.world.now = max(self.world.now, self.now + self.our_offset)
        self.note(f"delivered {sighting.key}")
        again = sighting.key in {s.key for s in self.delivered}
        self.delivered.append(sighting)
        decision = self.world.deliver(sighting)
        # What decides nothing alone is kept only while something is open, so that it may be kept the second time.
        if again and isinstance(sighting.fact, DECISIVE) and (decision.attempts or decision.pairs or decision.effects or decision.kept):
            self.problem(f"seen again, {sighting.key} changed something")
        self._carry_out_effects()

    def _carry_out_effects(self) -> None:
        for effect in self.world.effects[self.carried_out :]:
            match effect:
                case ProbeDeviceLog(request_id=request_id):
                    self.at(self.random.uniform(0, 2), partial(self._read, ACB, request_id))
                case ReissueJoin(request_id=request_id):
                    order = next(o for o in self.orders if o.request_id == request_id and o.intent is Intent.JOIN)
                    if order.fronted:
                        self.at(self.random.uniform(0, 2), partial(self._issue, order))
                case UpdateInventory(pair=pair, joined=joined):
                    (self.smi.add if joined else self.smi.discard)(pair)
        self.carried_out = len(self.world.effects)

    # what must not be

    def _check(self, world: World, decision: Decision) -> None:
        for record in decision.pairs:
            self.note(f"  -> {record.pair.other[-2:]} {record.state} on {[(e.row, str(e.at)[11:19]) for e in record.basis]}")
        for attempt in decision.attempts:
            self.note(f"  -> {attempt.intent} {attempt.request_id.remote[-2:]}:{attempt.request_id.counter} {attempt.state}")
        for record in world.pairs.values():
            if record.state in HELD_JOINED and record.pair not in self.joined and not self._unseen_removal(record.pair):
                self.problem(f"{record.pair} is {record.state}, which is false")

    def _unseen_removal(self, pair: JoinPair) -> bool:
        """Whether the last Unjoin that removed the entry is one whose request is still in a queue."""
        removals = [o for o in self.orders if o.pair == pair and o.removed_at is not None]
        last = max(removals, key=lambda o: o.removed_at or START, default=None)
        return last is not None and not last.processed

    def at_rest(self) -> None:
        """Check what must hold when all messages were delivered and all deadlines have passed."""
        for record in self.world.pairs.values():
            if record.state in HELD_JOINED and record.pair not in self.joined:
                self.problem(f"at rest {record.pair} is {record.state}, which is false")
            if record.state in HELD_JOINED and record.pair not in self.smi | self.unseen:
                self.problem(f"at rest the inventory lacks {record.pair}, which is {record.state}")
            if record.state is PairState.NOT_JOINED and record.pair in self.smi - self.unseen:
                self.problem(f"at rest the inventory has {record.pair}, which is {record.state}")
            if self.kind.calm and record.state is PairState.DISPUTED:
                self.problem(f"at rest {record.pair} is disputed, although the order was clear")

    def problem(self, says: str) -> None:
        self.note(f"PROBLEM: {says}")
        self.problems.append(says)

    def note(self, says: str) -> None:
        self.story.append(f"{self.now:%d %H:%M:%S} {says}")

    # dice and counters

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def at(self, after_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (self.now + timedelta(seconds=after_s), next(self.numbers), action))

    def _transit_s(self) -> float:
        """Return how long a command or an answer is under way: mostly seconds."""
        if self.kind.calm:
            return 2.0
        if not self.chance(self.kind.lateness):
            return self.random.uniform(0.5, 5)
        return self.random.uniform(1, self.random.choice((60.0, 1800.0, 4 * _HOUR_S, 0.49 * self.policy.max_transit.total_seconds())))

    def _counter(self, by: Eui64) -> int:
        self.counters[by] = max(milliseconds(self.now), self.counters.get(by, 0) + 1)
        return self.counters[by]

    def _acb_counter(self) -> int:
        self.issued[ACB] = max(milliseconds(self.now), self.issued.get(ACB, 0) + 1)
        return self.issued[ACB]

    def _accept(self, wire: CommandKey) -> bool:
        if wire.counter <= self.accepted.get(wire.remote, -1):
            return False
        self.accepted[wire.remote] = wire.counter
        return True

    def _processed(self, order: Order) -> None:
        order.processed = True

    def _requested(self, order: Order, *, submitted: bool) -> facts.JoinRequested:
        srvs = {
            (Intent.JOIN, True): SRV_JOIN_CRITICAL,
            (Intent.JOIN, False): SRV_JOIN_NON_CRITICAL,
            (Intent.UNJOIN, True): SRV_UNJOIN_CRITICAL,
            (Intent.UNJOIN, False): SRV_UNJOIN_NON_CRITICAL,
        }
        return facts.JoinRequested(
            request_id=order.request_id,
            intent=order.intent,
            srv=srvs[order.intent, order.critical],
            other=order.pair.other,
            submitted=submitted,
            wire_key=order.request_id if order.critical and submitted else None,
        )

    def _acknowledged(self, order: Order, code: str) -> facts.RequestAcknowledged:
        srv = {Intent.JOIN: "8.7.2", Intent.UNJOIN: "8.8.2"}[order.intent]
        return facts.RequestAcknowledged(request_id=order.request_id, srv=srv, code=code, asynchronous=code in ("E20", "E21"))
