"""A deployed sidecar on a cluster of three brokers, of which one is cut off, or dies: quorum queues lose nothing, and neither do we."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.cluster import Cluster, Node, cluster
from support.deployment import Deployment, Process
from support.living import Sidecar, live_through
from support.services import RabbitMq

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture(scope="module")
def broker(three: Cluster) -> RabbitMq:
    """The broker of the deployment: whichever node takes a connection."""
    return three.rabbitmq


def leader(three: Cluster, made: Deployment) -> Node:
    return three.leader_of(made.host.name, "joinbridge.in")


def test_the_node_that_leads_its_queue_is_cut_off_from_the_others(made: Deployment, three: Cluster) -> None:
    def disturb(_: Sidecar, estate: Process) -> None:
        led = set()
        for _again in range(2):
            time.sleep(4)
            node = leader(three, made)
            led.add(node.address)
            three.cut_off(node)
            time.sleep(12)  # the others have noticed, chosen another leader, and gone on
            assert estate.popen.poll() is None
            three.heal(node)
            three.await_whole()
        assert len(led) == 2, "the queue had another leader the second time"

    live_through(made, disturb, homes=20)


def test_the_node_that_leads_its_queue_is_killed_and_started_again(made: Deployment, three: Cluster) -> None:
    def disturb(_: Sidecar, estate: Process) -> None:
        for _again in range(2):
            time.sleep(4)
            node = leader(three, made)
            node.kill()
            time.sleep(3)
            assert estate.popen.poll() is None
            node.start()
            three.await_whole()

    live_through(made, disturb, homes=20)
