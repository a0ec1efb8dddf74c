"""The spine: one batch of deliveries, or of deadlines, in one transaction.

    read ─► filter ─► inbox ─► load ─► decide each in order ─► save everything ─► commit

Nothing is acknowledged here. The caller acknowledges when `take` has returned; until then all can happen again without harm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from joinbridge.core.case import Case, DeadlinePassed, Event
from joinbridge.core.engine import decide
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import Sighting
from joinbridge.core.ids import DeviceId, MessageKey
from joinbridge.core.policy import Policy
from joinbridge.core.relevance import touched
from joinbridge.core.rules import RULES
from joinbridge.errors import StaleVersionError, StoreError, StoreRefusedError
from joinbridge.observing import SILENT, Committed, Decided, Observer, Taken
from joinbridge.ports import AuditRecord, Clock, DeadLetter, Delivery, Store, Unit
from joinbridge.service.audit import record_of_letter, records_of
from joinbridge.service.describing import Describing
from joinbridge.service.reading import Read, read
from joinbridge.service.watch import Watch
from joinbridge.service.working_set import WorkingSet
from joinbridge.wire.facts import Reading

RULES_REFRESH = timedelta(hours=1)
"""How late a rule comes back from shadow, or follows what another instance has seen of it."""

WATCH_REFRESH = timedelta(hours=1)
"""How long what another instance has closed is watched at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What one transaction decided: the records as it leaves them, and what observers are told of it once it is committed."""

    at: datetime
    working: WorkingSet
    decisions: Sequence[Decided]
    letters: Sequence[DeadLetter]


class Step:
    """Decides batches and writes what follows. In shadow mode everything is recorded and nothing is owed.

    `commits` counts the transactions that wrote something.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        policy: Policy,
        reading: Reading,
        watch: Watch,
        live: bool,
        observer: Observer = SILENT,
        describing: Describing | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._configured = policy
        self._policy = policy
        self._reading = reading
        self._watch = watch
        self._live = live
        self._observer = observer
        self._describing = describing
        self._rules_due_at = datetime.min.replace(tzinfo=UTC)
        self._in_doubt = False
        self._watch_due_at = clock.now() + WATCH_REFRESH
        self._watch_asked = asyncio.Lock()
        self.commits = 0

    async def take(self, deliveries: Sequence[Delivery]) -> Taken:
        """Commit all that follows from `deliveries`; then, and only then, they may be acknowledged.

        Raises: StoreError, with nothing written, or with all of it if the answer to the commit was lost: take the same again.
        """
        await self._keep_watch_current()
        reads = [read(delivery, self._reading) for delivery in deliveries]
        dead = [r for r in reads if r.letter is not None]
        pertinent = [r for r in reads if any(self._watch.matters(fact) for fact in r.facts)]
        passed_by = len(reads) - len(dead) - len(pertinent)
        if not pertinent and not dead:
            return Taken(passed_by=passed_by)
        await self._keep_rules_current()
        # Before the transaction, which must not wait for somebody else's database.
        described = () if self._describing is None else await self._describing.sightings(fact for r in pertinent for fact in r.facts)
        began = time.monotonic()
        async with self._transaction() as unit:
            fresh = await unit.fresh({r.key: r.delivery.at for r in (*pertinent, *dead)})
            new = _firsts(pertinent, fresh)
            sightings = [s for r in new for s in r.sightings]
            work = await self._decide(unit, [*described, *sightings] if sightings else [], dead, _firsts(dead, fresh))
        self._committed(work, began)
        return Taken(judged=len(new), passed_by=passed_by, duplicates=len(pertinent) - len(new), dead=len(dead))

    async def fire(self, limit: int) -> int:
        """Commit all that follows from the deadlines that are due, at most `limit`; return how many there were.

        Raises: StoreError, with nothing written, or with all of it if the answer to the commit was lost.
        """
        await self._keep_rules_current()
        began = time.monotonic()
        async with self._transaction() as unit:
            due = await unit.due(self._clock.now(), limit)
            if not due:
                return 0
            work = await self._decide(unit, due)
        self._committed(work, began)
        return len(due)

    async def refresh_rules(self) -> None:
        """Return every rule that was contradicted too often lately to shadow, until the window has passed.

        Raises: StoreError.
        """
        configured, now = self._configured, self._clock.now()
        counts = await self._store.contradictions(now - configured.contradiction_window)
        often = {rule for rule, count in counts.items() if count >= configured.contradictions_to_shadow}
        demoted = {rule: Mode.SHADOW for rule in often if configured.rule_modes.get(rule) is not Mode.OFF}
        self._policy = replace(configured, rule_modes={**configured.rule_modes, **demoted})
        self._rules_due_at = now + RULES_REFRESH
        self._observer.rules({rule.name: rule.mode(self._policy) for rule in RULES})

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Unit]:
        try:
            async with self._store.transaction() as unit:
                yield unit
        except (StoreRefusedError, StaleVersionError):
            raise  # nothing was written
        except StoreError:
            # Nobody knows whether it was committed. If so, all that it opened will come as duplicates, and would never be watched.
            self._in_doubt = True
            raise

    async def _keep_watch_current(self) -> None:
        async with self._watch_asked:  # who comes meanwhile waits for the answer
            now = self._clock.now()
            if not self._in_doubt and now < self._watch_due_at:
                return
            # Before the store is asked: a commit may be in doubt again until it answers.
            in_doubt, self._in_doubt = self._in_doubt, False
            self._watch.ask()
            try:
                watched = await self._store.watched()
            except StoreError:
                self._in_doubt = self._in_doubt or in_doubt
                raise
            if in_doubt:
                self._watch.load(watched)
            self._watch.forget(watched)
            self._watch_due_at = now + WATCH_REFRESH

    async def _keep_rules_current(self) -> None:
        if self._clock.now() >= self._rules_due_at:
            await self.refresh_rules()

    async def _decide(self, unit: Unit, events: Sequence[Event], dead: Sequence[Read] = (), newly_dead: Sequence[Read] = ()) -> _Work:
        now = self._clock.now()
        working = WorkingSet(await unit.load(_devices(events)) if events else Case())
        audit: list[AuditRecord] = []
        decisions: list[Decided] = []
        letters = _letters(newly_dead)
        for event in events:
            case = working.case(_touched(event))
            decision = decide(case, event, policy=self._policy, now=_moment(event, now))
            audit.extend(records_of(case, decision, now, withheld=not self._live))
            working.apply(decision)
            decisions.append(Decided(event=event, case=case, decision=decision))
        audit.extend(record_of_letter(letter, now) for letter in letters)
        await unit.save(replace(working.changes(withheld=not self._live, audit=audit), dead_letters=_letters(dead)))
        return _Work(at=now, working=working, decisions=decisions, letters=letters)

    def _committed(self, work: _Work, began: float) -> None:
        # Nothing here may fail: what is committed must not be reported as if it were not.
        self.commits += 1
        self._watch.follow(work.working.attempts)
        if work.working.shakes_rules:
            self._rules_due_at = self._clock.now()
        self._observer.committed(
            Committed(
                at=work.at,
                decisions=work.decisions,
                letters=work.letters,
                withheld=not self._live,
                took_s=time.monotonic() - began,
            )
        )


def _firsts(reads: Sequence[Read], fresh: set[MessageKey]) -> Sequence[Read]:
    """Return those that were never seen before; a second copy in the same batch was."""
    first = {r.key: r for r in reversed(reads) if r.key in fresh}
    return [r for r in reads if first.get(r.key) is r]


def _letters(reads: Sequence[Read]) -> tuple[DeadLetter, ...]:
    return tuple(r.letter for r in reads if r.letter is not None)


def _touched(event: Event) -> tuple[DeviceId, ...]:
    return (event.key.request_id.device,) if isinstance(event, DeadlinePassed) else touched(event.fact)


def _devices(events: Sequence[Event]) -> set[DeviceId]:
    return {device for event in events for device in _touched(event)}


def _moment(event: Event, now: datetime) -> datetime:
    """Return when an event is decided: never before the bus saw it, even if the broker's clock is ahead of ours."""
    return max(now, event.at) if isinstance(event, Sighting) else now
