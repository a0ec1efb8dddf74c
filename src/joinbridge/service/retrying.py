"""Retrying at once: for what may pass within seconds. What lasts longer is handed back, or postponed in the outbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from joinbridge.errors import JoinbridgeError
from joinbridge.ports import Clock

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_PAUSE_S = 2.0


class Retrying:
    """Tries at most `tries` times while `passes` says of the error that it may pass; pauses about `pause_s`, then twice that, and so on."""

    def __init__(self, clock: Clock, *, tries: int, pause_s: float, passes: Callable[[BaseException], bool]) -> None:
        self._clock = clock
        self._tries = tries
        self._pause_s = pause_s
        self._passes = passes

    async def __call__(self, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns.

        Raises: what it raised last.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=self._pause_s, max=LONGEST_PAUSE_S),
            retry=retry_if_exception(self._passes),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            result: T = await retrying(work, *args, **kwargs)
        except JoinbridgeError as error:
            # Its message says all. tenacity holds the error, the error its frames, these the whole batch and tenacity: a circle that
            # would stay in memory until the collector comes by, while the same batch is read and decided once more.
            error.__traceback__ = None
            raise
        return result

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(timedelta(seconds=seconds))
