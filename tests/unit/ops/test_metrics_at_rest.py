"""Invariant 12: at rest, counters equal what the store counts of the same history."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from sqlalchemy import Connection, func, select

from joinbridge.config import Settings
from joinbridge.core.attempt import OPEN, AttemptKey, AttemptState, JoinAttempt, LossTrigger
from joinbridge.core.effects import NotifySupplier, UpdateInventory
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.ids import DeviceId
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.rules.delivery import SMI_SAYS_NOT_JOINED
from joinbridge.core.vocabulary import Intent
from joinbridge.observing import SILENT, Committed, Observer
from joinbridge.ops.metrics import Metrics
from joinbridge.ops.metrics.labels import EFFECTS, SRVS
from joinbridge.ops.metrics.measuring import Measuring
from joinbridge.ops.observers import Harmless
from joinbridge.service.clock import ManualClock
from joinbridge.simulator.scenario import SCENARIOS, START, build
from joinbridge.store.opening import open_database
from joinbridge.store.outbox import EffectStatus
from joinbridge.store.records import EffectRecord, Records
from joinbridge.store.tables import audit, contradictions, inbox
from support.observed import run_through

pytestmark = pytest.mark.slow

HOMES = 60
ALL = 1_000_000


class Order(Observer):
    """Notes in which order devices were described and answers found lost: a loss is counted under what was known when it was found."""

    def __init__(self) -> None:
        self.described: dict[DeviceId, int] = {}
        self.lost: dict[AttemptKey, int] = {}

    def committed(self, committed: Committed) -> None:
        for decided in committed.decisions:
            now = len(self.described) + len(self.lost)
            for device in decided.decision.devices:
                if device.region is not None:
                    self.described.setdefault(device.device, now)
            for attempt in decided.decision.attempts:
                if attempt.lost_at is not None:
                    self.lost.setdefault(attempt.key, now)

    def knew(self, attempt: JoinAttempt) -> bool:
        """Return whether the region of the attempt's target was known when its answer was found to be lost."""
        return self.described.get(attempt.target, len(self.described) + len(self.lost)) <= self.lost[attempt.key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """An estate that has lived its two weeks: what was counted, and what is on record."""

    live: bool
    samples: Sequence[Sample]
    errors: int
    messages: int
    attempts: Sequence[JoinAttempt]
    pairs: Sequence[PairRecord]
    effects: Sequence[EffectRecord]
    devices: Sequence[DeviceDescription | None]
    order: Order
    audited: Counter[tuple[str, str | None]]
    inferred: Counter[str]
    contradicted: Counter[str]
    inbox: int
    letters: int

    def total(self, name: str, **labels: str) -> int:
        """Return the sum of a metric over all label sets that have `labels`."""
        found = [s.value for s in self.samples if s.name == f"joinbridge_{name}" and labels.items() <= s.labels.items()]
        assert found, f"there is no joinbridge_{name} with {labels}"
        return int(sum(found))

    @property
    def lost(self) -> Sequence[JoinAttempt]:
        return [attempt for attempt in self.attempts if attempt.lost_at is not None]


@pytest.fixture(scope="module", params=["live", "shadow"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return asyncio.run(live(tmp_path_factory.mktemp("estate"), live=request.param == "live"))


async def live(folder: Path, *, live: bool) -> Lived:
    url = f"sqlite:///{folder / 'records.db'}"
    clock = ManualClock(START)
    metrics = Metrics(Settings(mode="live" if live else "shadow"), clock)
    errors = Counter[str]()
    order = Order()
    observer = Harmless([metrics.observer, order], on_error=lambda: errors.update(["error"]))
    messages = await run_through(build(SCENARIOS["harsh"], 7, HOMES), clock, observer=observer, database_url=url, live=live)
    async with open_database(url) as database:
        measuring = Measuring(metrics.instruments, database=database, clock=clock, period=timedelta(seconds=30), observer=SILENT)
        await measuring.take_census()
        records = Records(database)
        attempts = await records.attempts(limit=ALL)
        to = func.json_extract(audit.c.body, "$.to")
        audited = await database.read(lambda c: Counter((kind, state) for kind, state in c.execute(select(audit.c.kind, to))))
        contradicted = await database.read(lambda c: Counter(rule for (rule,) in c.execute(select(contradictions.c.rule))))
        seen: int = await database.read(lambda c: c.execute(select(func.count()).select_from(inbox)).scalar_one())
        return Lived(
            live=live,
            samples=[s for family in text_string_to_metric_families(metrics.text().decode()) for s in family.samples],
            errors=errors.total(),
            messages=messages,
            attempts=attempts,
            pairs=await records.pairs(limit=ALL),
            effects=await records.effects(limit=ALL),
            devices=[await records.device(attempt.target) for attempt in attempts],
            order=order,
            audited=audited,
            inferred=await database.read(rules_inferred_by),
            contradicted=contradicted,
            inbox=seen,
            letters=await records.dead_letter_count(),
        )


def rules_inferred_by(connection: Connection) -> Counter[str]:
    """Count the rules on which pairs came to be inferred, as the audit chain tells it."""
    bodies = map(json.loads, connection.execute(select(audit.c.body).where(audit.c.kind == "pair.changed")).scalars())
    came = (body for body in bodies if body["to"] == "inferred_success" != body["from"])
    return Counter(rule for body in came for rule in {found["rule"] for found in body["basis"]})


def test_the_history_has_something_of_everything(lived: Lived) -> None:
    assert lived.errors == 0
    assert len({attempt.lost_because for attempt in lived.lost}) > 2
    assert lived.letters > 0
    assert lived.total("unjoin_refusals_total") > 0
    assert {type(record.effect) for record in lived.effects} == set(EFFECTS)
    if lived.live:
        assert lived.total("unjoin_refusals_explained_total") > 0
        assert lived.total("inventory_updates_total", outcome="changed") > 0


class TestMessages:
    def test_every_message_was_received_and_settled_as_one_of_four(self, lived: Lived) -> None:
        assert lived.total("messages_received_total") == lived.total("messages_settled_total")
        assert lived.total("messages_settled_total") + lived.total("messages_handed_back_total") >= lived.messages

    def test_what_was_judged_or_died_for_the_first_time_is_what_the_inbox_holds(self, lived: Lived) -> None:
        first_deaths = lived.total("messages_dead_lettered_total")

        assert lived.total("messages_settled_total", outcome="judged") + first_deaths == lived.inbox
        assert first_deaths == lived.audited[("message.dead", None)]
        assert lived.total("dead_letters", status="open") == lived.letters


class TestAttempts:
    def test_transitions_are_those_of_the_audit_chain(self, lived: Lived) -> None:
        for state in AttemptState:
            assert lived.total("attempt_transitions_total", state=state) == lived.audited[("attempt.changed", state)]

    def test_each_attempt_on_record_was_opened_once(self, lived: Lived) -> None:
        assert sum(lived.total("attempts", state=state) for state in AttemptState) == len(lived.attempts)
        assert lived.total("attempts_open") == sum(attempt.state in OPEN for attempt in lived.attempts)

    @pytest.mark.parametrize("srv", SRVS)
    def test_lost_answers_are_those_of_the_attempts_by_service_request_and_trigger(self, lived: Lived, srv: str) -> None:
        for trigger in LossTrigger:
            lost = [a for a in lived.lost if (a.srv or "unknown") == srv and a.lost_because is trigger]

            assert lived.total("responses_lost_total", srv=srv, trigger=trigger) == len(lost)

    def test_answers_received_are_those_that_came_before_any_loss(self, lived: Lived) -> None:
        answered = [a for a in lived.attempts if a.answered_at is not None]

        assert lived.total("responses_received_total") == sum(a.lost_at is None for a in answered)
        assert lived.total("response_delay_seconds_count") == len(answered)

    def test_no_kind_of_device_loses_what_the_whole_did_not(self, lived: Lived) -> None:
        for outcome, total in {"lost": len(lived.lost), "received": lived.total("responses_received_total")}.items():
            assert lived.total("device_responses_total", outcome=outcome) == total

    def test_the_regions_of_lost_answers_are_those_of_their_devices_as_far_as_known_by_then(self, lived: Lived) -> None:
        regions = Counter(
            "unknown" if device is None or device.region is None or not lived.order.knew(attempt) else device.region.casefold()
            for attempt, device in zip(lived.attempts, lived.devices, strict=True)
            if attempt.lost_at is not None
        )

        assert len(regions) > 1
        for region, lost in regions.items():
            assert lived.total("responses_lost_total", region=region) == lost

    def test_refused_unjoins_are_those_on_record(self, lived: Lived) -> None:
        refused = [a for a in lived.attempts if a.refusal == SMI_SAYS_NOT_JOINED and a.intent is Intent.UNJOIN]

        assert lived.total("unjoin_refusals_total") == len(refused)
        assert lived.total("unjoin_refusals_explained_total") <= len(refused)


class TestPairs:
    def test_pairs_by_state_are_those_on_record(self, lived: Lived) -> None:
        for state in PairState:
            assert lived.total("pairs", state=state) == sum(record.state is state for record in lived.pairs)

    def test_inferences_are_those_of_the_audit_chain_by_the_rules_they_rest_on(self, lived: Lived) -> None:
        assert lived.inferred
        assert lived.total("inferences_total", mode="live") == lived.inferred.total()
        for rule, times in lived.inferred.items():
            assert lived.total("inferences_total", rule=rule, mode="live") == times

    def test_contradictions_are_those_on_record(self, lived: Lived) -> None:
        assert lived.total("contradictions_total") - lived.total("contradictions_explained_total") == lived.contradicted.total()


class TestEffects:
    def test_effects_are_those_of_the_outbox(self, lived: Lived) -> None:
        fate, other = ("owed", "withheld") if lived.live else ("withheld", "owed")
        for kind, label in EFFECTS.items():
            assert lived.total("effects_total", effect=label, fate=fate) == sum(type(r.effect) is kind for r in lived.effects)
            assert lived.total("effects_total", effect=label, fate=other) == 0

    def test_what_is_done_is_done_in_the_outbox(self, lived: Lived) -> None:
        for kind, label in EFFECTS.items():
            of_kind = [record for record in lived.effects if type(record.effect) is kind]

            assert lived.total("effects_carried_out_total", effect=label) == sum(r.status is EffectStatus.DONE for r in of_kind)
            assert lived.total("outbox_backlog", effect=label) == sum(r.due_at is not None for r in of_kind)

    def test_notices_are_those_of_the_outbox(self, lived: Lived) -> None:
        kinds = Counter(record.effect.kind for record in lived.effects if isinstance(record.effect, NotifySupplier))

        for kind, times in kinds.items():
            assert lived.total("notices_total", kind=kind) == times

    def test_corrections_avoided_are_updates_that_changed_the_inventory_at_the_price_of_each(self, lived: Lived) -> None:
        changed = lived.total("inventory_updates_total", outcome="changed")
        done = [r for r in lived.effects if isinstance(r.effect, UpdateInventory) and r.status is EffectStatus.DONE]

        assert lived.total("corrections_avoided_total") == changed
        assert lived.total("corrections_avoided_gbp_total") == changed * Settings().money.correction_gbp
        assert changed + lived.total("inventory_updates_total", outcome="unchanged") == len(done)
        assert lived.total("correction_delay_seconds_count") == len(done)


def test_the_height_of_the_audit_chain_is_its_length(lived: Lived) -> None:
    assert lived.total("audit_height") == lived.audited.total()
