"""What a deployed sidecar lives through: nothing is lost, nothing done twice, nothing inferred that is not so.

The estate publishes with confirms and writes down what was confirmed, what it heard and what is true; that ledger is the judge.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping

import pytest

from support.deployment import Deployment, Process, eventually, settle_account
from support.services import PostgreSql, RabbitMq

HOMES, DAYS = 40, 3.0
PATIENCE_S = 400.0
REST_S = 150.0

pytestmark = pytest.mark.faults


class Sidecar:
    """The sidecar of a deployment, whichever process it is by now."""

    def __init__(self, made: Deployment, number: int = 0) -> None:
        self._made = made
        self._number = number
        self.process = made.sidecar(number)

    def kill(self) -> None:
        """Kill it and start it again."""
        self.process.kill()
        self.process = self._made.sidecar(self._number)

    def keep_alive(self) -> None:
        """Start it again if it has ended, as whoever supervises it would."""
        if self.process.popen.poll() is not None:
            self.process = self._made.sidecar(self._number)


def live_through(made: Deployment, disturb: Callable[[Sidecar, Process], None], *, homes: int = HOMES, days: float = DAYS) -> None:
    """Let an estate live on `made` while `disturb` does what it does, and settle the account."""
    sidecar = Sidecar(made)
    estate = made.estate(homes=homes, days=days)
    disturb(sidecar, estate)
    score = made.score(estate, PATIENCE_S)
    sidecar.keep_alive()
    at_rest(made, sidecar)
    assert sidecar.process.stop() == 0, sidecar.process.said()[-4000:]
    judge(made, score)


def at_rest(made: Deployment, sidecar: Sidecar) -> None:
    """Wait until nothing is under way; what the killed ones had leased is owed again after a while."""
    deadline = time.monotonic() + REST_S
    while (account := settle_account(made)).is_pending:
        assert time.monotonic() < deadline, f"{account}\n{sidecar.process.said()[-4000:]}"
        time.sleep(1)


def judge(made: Deployment, score: Mapping[str, object]) -> None:
    """Make sure that all was well in the end."""
    account = settle_account(made)
    assert account.is_clean, account
    assert score["answers_lost"], "a rehearsal in which nothing was lost shows nothing"
    assert {name: score[name] for name in ("false_inferences", "missed_inferences")} == {"false_inferences": 0, "missed_inferences": 0}


def at_moments(estate: Process, times: int, within_s: float, seed: int, act: Callable[[], None]) -> None:
    """Do `act` so many times at random moments while the estate lives."""
    chance, began = random.Random(seed), time.monotonic()
    for moment in sorted(chance.uniform(0.5, within_s) for _ in range(times)):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        assert estate.popen.poll() is None, f"the estate ended early:\n{estate.said()}"
        act()


def test_nothing_happens_to_it(made: Deployment) -> None:
    live_through(made, lambda _sidecar, _estate: None)


def test_it_is_killed_at_twenty_moments(made: Deployment) -> None:
    live_through(made, lambda sidecar, estate: at_moments(estate, 20, 45, seed=1, act=sidecar.kill))


def test_all_its_connections_are_closed_by_the_broker(made: Deployment) -> None:
    live_through(made, lambda _, estate: at_moments(estate, 10, 45, seed=2, act=lambda: _close(made)))


def _close(made: Deployment) -> None:
    made.host.close_connections()


def test_its_queue_is_deleted_under_it(made: Deployment) -> None:
    """What lies in a queue goes with it, and nobody can help that; so the estate holds its breath until it is empty."""

    def is_empty() -> bool:
        queue = made.host.call("GET", "queues", "/joinbridge.in")
        assert isinstance(queue, dict)
        return queue.get("messages") == 0

    def disturb(_: Sidecar, estate: Process) -> None:
        def delete() -> None:
            estate.popen.send_signal(signal.SIGSTOP)
            time.sleep(2)  # the broker counts once a second
            eventually(is_empty, "empty", 30)
            made.host.call("DELETE", "queues", "/joinbridge.in")
            estate.popen.send_signal(signal.SIGCONT)

        at_moments(estate, 3, 40, seed=3, act=delete)

    live_through(made, disturb)


def test_the_broker_is_killed_and_started_again(made: Deployment, broker: RabbitMq) -> None:
    server = broker.server
    if server is None:
        pytest.skip("a broker that was given by environment is not killed")

    def restart() -> None:
        server.kill()
        server.start()

    def disturb(sidecar: Sidecar, estate: Process) -> None:
        at_moments(estate, 2, 40, seed=4, act=restart)
        sidecar.keep_alive()

    live_through(made, disturb)


def test_the_database_is_stopped_at_once_and_started_again(made: Deployment, records: PostgreSql) -> None:
    server = records.server
    if server is None:
        pytest.skip("a database that was given by environment is not stopped")

    def restart() -> None:
        server.stop(signal.SIGQUIT)  # the immediate shutdown: recovery at the next start
        time.sleep(2)
        server.start()

    live_through(made, lambda _, estate: at_moments(estate, 3, 40, seed=5, act=restart))


def test_the_inventory_is_away_for_hours(made: Deployment, smi: PostgreSql) -> None:
    server = smi.server
    if server is None:
        pytest.skip("a database that was given by environment is not stopped")

    def away() -> None:
        server.stop(signal.SIGQUIT)
        time.sleep(5)  # more than five hours of the estate's time
        server.start()

    live_through(made, lambda _, estate: at_moments(estate, 2, 35, seed=6, act=away))
