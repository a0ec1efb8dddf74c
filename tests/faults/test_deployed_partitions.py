"""Two deployed sidecars on a queue in partitions, and one of them dies again and again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from joinbridge.bus.amqp.topology import HASH_PLUGIN
from support.deployment import Deployment, Process, deployment
from support.desk import events
from support.living import Sidecar, at_moments, live_through
from support.services import PostgreSql, RabbitMq
from support.services import rabbitmq as start_rabbitmq

pytestmark = pytest.mark.faults

PARTITIONS = 4


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    with start_rabbitmq("collect_statistics_interval = 1000\n", plugins=("rabbitmq_management", HASH_PLUGIN)) as server:
        yield server


@pytest.fixture
def made(tmp_path: Path, broker: RabbitMq, records: PostgreSql, smi: PostgreSql) -> Iterator[Deployment]:
    settings = {"JOINBRIDGE_AMQP__PARTITIONS": str(PARTITIONS)}
    with broker.virtual_host() as host, deployment(tmp_path, host, records, smi, speed=4000.0, settings=settings) as made:
        yield made


def test_whichever_of_two_is_at_work_is_killed_again_and_again(made: Deployment) -> None:
    """A partition belongs to one of them at a time; who comes back finds that all belong to the other, and stands by."""
    shares: dict[str, int] = {}

    def disturb(first: Sidecar, estate: Process) -> None:
        second = Sidecar(made, 1)
        at_work = itertools.cycle((first, second))
        at_moments(estate, 8, 26, seed=31, act=lambda: next(at_work).kill())
        shares.update(_published(made))
        assert events(second.process, "success_inferred"), "it never had anything to do"
        assert second.process.stop() == 0, second.process.said()[-4000:]

    live_through(made, disturb)

    assert len(shares) == PARTITIONS
    assert min(shares.values()) > max(shares.values()) / 10, "the homes are divided among all partitions"


def _published(made: Deployment) -> dict[str, int]:
    """Return how many messages have gone through each partition."""
    queues = made.host.call("GET", "queues")
    assert isinstance(queues, list)
    return {
        str(queue["name"]): int(queue.get("message_stats", {}).get("publish", 0))
        for queue in queues
        if str(queue["name"]).startswith("joinbridge.in.")
    }
