"""Weather: what is away at the moment, and what happens at which call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from joinbridge.errors import InventoryConflictError, InventoryError, StoreError, TransportError
from joinbridge.proving.faults import AT_CALLS, CONSUMERS, CRASHES, HALFWAY, IN_TRANSACTION, SAFE, Fault, FaultKind
from joinbridge.proving.points import Call
from joinbridge.proving.trace import Trace

_AWAY = {
    FaultKind.DATABASE_AWAY: StoreError,
    FaultKind.BUS_AWAY: TransportError,
    FaultKind.INVENTORY_AWAY: InventoryError,
}


class KilledError(BaseException):
    """The process is gone: nothing in it gets to do anything more. No `except Exception` sees it."""


class Weather:
    """The faults that are still to come, and those that last. `happened` counts what came about, by label."""

    def __init__(self, schedule: Iterable[Fault], trace: Trace) -> None:
        schedule = tuple(schedule)
        self.timed = sorted((fault for fault in schedule if fault.kind not in AT_CALLS), key=lambda fault: fault.at_s)
        self.happened: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._armed = {(fault.call, fault.nth): fault for fault in schedule if fault.kind in AT_CALLS}
        self._lasting: Counter[FaultKind] = Counter()
        self._trace = trace

    def clear(self) -> None:
        """Let nothing more happen."""
        self._armed.clear()
        self.timed.clear()

    def happens(self, fault: Fault) -> None:
        """Note that `fault` comes about."""
        self.happened[fault.label] += 1
        self._trace.add("fault", str(fault))

    @contextmanager
    def lasting(self, kind: FaultKind) -> Iterator[None]:
        """Let what `kind` says be so while this is open."""
        self._lasting[kind] += 1
        try:
            yield
        finally:
            self._lasting[kind] -= 1

    def away(self, kind: FaultKind) -> bool:
        """Return whether what `kind` names is away at the moment."""
        return self._lasting[kind] > 0

    def refuse(self, call: Call) -> None:
        """Raise what `call` raises when whom it calls is away."""
        if call.name in SAFE:
            return
        for kind, error in _AWAY.items():
            if self._lasting[kind] and call.error is error:
                raise call.error(f"{kind}")
        if self._lasting[FaultKind.INVENTORY_CONFLICTS] and call.name == "set joined":
            raise InventoryConflictError("the inventory holds something of its own", held=None)

    def take(self, call: Call) -> Fault | None:
        """Count `call`, and return what is to happen at it."""
        self.calls[call.name] += 1
        return self._armed.pop((call.name, self.calls[call.name]), None)


class Process:
    """One sidecar process as its calls see it: a `points.Gate`. Once it is `dead`, every call of it ends it again.

    `lose_consumer` is what becomes of a source whose settlement was not heard; `latency_s` how long a call takes.
    """

    def __init__(self, weather: Weather, *, lose_consumer: Callable[[], None], latency_s: Callable[[], float]) -> None:
        self._weather = weather
        self._lose_consumer = lose_consumer
        self._latency_s = latency_s
        self._pending: dict[tuple[object, str], Fault] = {}
        self._still_until = 0.0
        self.dead = False

    def stand_still(self, for_s: float) -> None:
        """Let the process not run for so long: what it has asked for is done, and it hears of it afterwards."""
        self._still_until = max(self._still_until, asyncio.get_running_loop().time() + for_s)

    async def before(self, call: Call) -> bool:
        """Let something happen before `call`; return False when only half of it is to be carried out."""
        self._live()
        self._weather.refuse(call)
        fault = self._weather.take(call)
        wait_s = self._latency_s() + (fault.for_s if fault is not None else 0.0)
        if wait_s > 0:
            await asyncio.sleep(wait_s)
            self._live()
            self._weather.refuse(call)
        if fault is None:
            return True
        self._weather.happens(fault)
        if fault.kind is FaultKind.CRASH_BEFORE:
            self._die()
        if fault.kind is FaultKind.FAIL_BEFORE:
            self._fail(call)
        elif fault.kind is not FaultKind.PAUSE:
            self._pending[asyncio.current_task(), call.name] = fault
        return fault.kind not in HALFWAY

    async def after(self, call: Call) -> None:
        """Let something happen after `call`."""
        self._live()
        still_s = self._still_until - asyncio.get_running_loop().time()
        if still_s > 0 and call.name not in IN_TRANSACTION:
            await asyncio.sleep(still_s)
            self._live()
        fault = self._pending.pop((asyncio.current_task(), call.name), None) if self._pending else None
        if fault is None:
            return
        if fault.kind in CRASHES:
            self._die()
        self._fail(call)

    def _live(self) -> None:
        if self.dead:
            raise KilledError

    def _die(self) -> None:
        self.dead = True
        raise KilledError

    def _fail(self, call: Call) -> None:
        if call.name in CONSUMERS:
            self._lose_consumer()
        if call.name not in SAFE:
            raise call.error("nobody knows what became of it")
