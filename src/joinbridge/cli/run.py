"""`joinbridge run`: the sidecar, until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Annotated

import typer
import uvloop

from joinbridge.cli.options import ConfigFile
from joinbridge.cli.output import FOUND_WRONG
from joinbridge.config import Settings, load
from joinbridge.ops.logs import configure, logger
from joinbridge.wiring.deployed import Deployed, deployed
from joinbridge.wiring.operations import Operations

log = logger("joinbridge.run")


def run(
    config: ConfigFile = None,
    migrate: Annotated[bool, typer.Option("--migrate", help="Bring the database to the schema of this version first.")] = False,
) -> None:
    """Run the sidecar: read the bus, decide, and in live mode act. SIGTERM ends it in order.

    Exit code 0 after ending in order, 1 when that took longer than runtime.drain, 3 when a service could not be reached.
    """
    settings = load(config)
    configure(settings.log)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            in_order = runner.run(_serve(settings, migrate=migrate))
        except asyncio.CancelledError:
            log.info("ended_before_ready")
            return
    if not in_order:
        raise typer.Exit(FOUND_WRONG)


async def _serve(settings: Settings, *, migrate: bool) -> bool:
    """Run until a signal comes; return whether it ended in order."""
    stop = asyncio.Event()
    starting = _Starting(stop)
    if settings.rehearsal.origin is not None:
        log.warning("rehearsal", speed=settings.rehearsal.speed, since=settings.rehearsal.origin.isoformat())
    operations = Operations(settings)
    async with operations.opened() as port, deployed(settings, migrate=migrate, operations=operations) as deployment:
        starting.over()
        _ready(settings, is_ready=True)
        log.info("ready", mode=settings.mode, queues=deployment.bus.queues, http=None if port is None else port.address)
        try:
            return await _keep(deployment, operations, stop, settings)
        finally:
            _ready(settings, is_ready=False)


async def _keep(deployment: Deployed, operations: Operations, stop: asyncio.Event, settings: Settings) -> bool:
    running = asyncio.create_task(deployment.run(stop, on_error=operations.observer.failed))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    bound = settings.runtime.drain.total_seconds()
    done, _ = await asyncio.wait((running,), timeout=bound)
    if done:
        await running
        log.info("ended_in_order")
        return True
    log.error("ended_undone", after_s=bound, setting="runtime.drain", next="nothing is lost: what was not committed comes again")
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return False


def _ready(settings: Settings, *, is_ready: bool) -> None:
    file = settings.runtime.ready_file
    if file is None:
        return
    if is_ready:
        file.touch()
    else:
        file.unlink(missing_ok=True)


class _Starting:
    """Sets `stop` on SIGTERM and SIGINT, and until the start is over ends the task that made this as well.

    A second signal of a kind ends the process at once, as it does by default.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._task = asyncio.current_task()
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, self._told, each)

    def over(self) -> None:
        """Let signals end in order from now on."""
        self._task = None

    def _told(self, signum: signal.Signals) -> None:
        asyncio.get_running_loop().remove_signal_handler(signum)
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
