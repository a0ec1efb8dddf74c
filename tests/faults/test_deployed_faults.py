"""What a deployed sidecar lives through: nothing is lost, nothing done twice, nothing inferred that is not so.

The estate publishes with confirms and writes down what was confirmed, what it heard and what is true; that ledger is the judge.
"""

from __future__ import annotations

import signal
import time

import pytest

from support.deployment import Deployment, Process, eventually
from support.living import Sidecar, at_moments, live_through
from support.services import PostgreSql, RabbitMq

pytestmark = pytest.mark.faults


def test_nothing_happens_to_it(made: Deployment) -> None:
    live_through(made, lambda _sidecar, _estate: None)


def test_it_is_killed_at_twenty_moments(made: Deployment) -> None:
    live_through(made, lambda sidecar, estate: at_moments(estate, 20, 45, seed=1, act=sidecar.kill), days=3)


def test_two_share_the_queue_and_one_of_them_is_killed(made: Deployment) -> None:
    def disturb(_: Sidecar, estate: Process) -> None:
        second = Sidecar(made, 1)
        at_moments(estate, 5, 20, seed=7, act=second.kill)
        assert second.process.stop() == 0, second.process.said()[-4000:]

    live_through(made, disturb)


def test_all_its_connections_are_closed_by_the_broker(made: Deployment) -> None:
    live_through(made, lambda _, estate: at_moments(estate, 10, 28, seed=2, act=lambda: _close(made)))


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

        at_moments(estate, 3, 25, seed=3, act=delete)

    live_through(made, disturb)


def test_the_broker_is_killed_and_started_again(made: Deployment, broker: RabbitMq) -> None:
    server = broker.server
    if server is None:
        pytest.skip("a broker that was given by environment is not killed")

    def restart() -> None:
        server.kill()
        server.start()

    def disturb(sidecar: Sidecar, estate: Process) -> None:
        # RabbitMQ 3.10 writes down a moment later what a new quorum queue needs for its recovery; killed before, it forgets the queue, or
        # the queue never has a leader again and blocks whoever publishes to it.
        time.sleep(5)
        at_moments(estate, 2, 25, seed=4, act=restart)
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

    live_through(made, lambda _, estate: at_moments(estate, 3, 25, seed=5, act=restart))


def test_the_inventory_is_away_for_hours(made: Deployment, smi: PostgreSql) -> None:
    server = smi.server
    if server is None:
        pytest.skip("a database that was given by environment is not stopped")

    def away() -> None:
        server.stop(signal.SIGQUIT)
        time.sleep(5)  # more than five hours of the estate's time
        server.start()

    live_through(made, lambda _, estate: at_moments(estate, 2, 22, seed=6, act=away))
