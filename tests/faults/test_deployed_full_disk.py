"""A deployed sidecar whose database runs out of room: nothing is lost, it says so, and it goes on when there is room again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.deployment import Deployment, Process, eventually
from support.desk import Desk, address_of, events
from support.disks import Cramped, await_questions, cramped_postgresql
from support.living import Sidecar, live_through
from support.services import PostgreSql

pytestmark = pytest.mark.faults

FULL = "No space left on device"
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def cramped() -> Iterator[Cramped]:
    with cramped_postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def records(cramped: Cramped) -> PostgreSql:
    return cramped.server


def test_there_is_no_room_for_its_tables(made: Deployment, cramped: Cramped) -> None:
    """The server goes on and refuses what wants room."""

    def disturb(sidecar: Sidecar, estate: Process) -> None:
        with Desk(address_of(sidecar.process)) as desk:
            time.sleep(5)
            cramped.tables.fill()
            eventually(
                lambda: any(FULL in str(event["says"]) for event in events(sidecar.process, "turn_failed")), "said in the log", PATIENCE_S
            )
            eventually(lambda: bool(desk.failing()), "not ready", PATIENCE_S)
            assert desk.lives()
            assert estate.popen.poll() is None
            cramped.tables.empty()
            eventually(lambda: not desk.failing(), "ready again", PATIENCE_S)
        assert sidecar.process.popen.poll() is None, "it went on by itself"

    live_through(made, disturb, days=3)


def test_there_is_no_room_for_the_log_of_the_database(made: Deployment, cramped: Cramped) -> None:
    """The server ends, and cannot start before there is room."""
    server = cramped.server.server
    assert server is not None

    def disturb(sidecar: Sidecar, _: Process) -> None:
        with Desk(address_of(sidecar.process)) as desk:
            for _again in range(2):
                time.sleep(4)
                cramped.log.fill()
                eventually(lambda: "database" in desk.failing(), "not ready", PATIENCE_S)
                assert desk.lives()
                cramped.log.empty()
                server.stop()  # where it is still trying
                server.start()
                await_questions(cramped.server)
                eventually(lambda: not desk.failing(), "ready again", PATIENCE_S)
        assert sidecar.process.popen.poll() is None, "it went on by itself"

    live_through(made, disturb, days=3)
    assert "PANIC" in server.log.read_text("utf-8", "replace")
