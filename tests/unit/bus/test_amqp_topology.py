"""What settings ask for on the broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from joinbridge.bus.amqp.link import tls_context
from joinbridge.bus.amqp.topology import Exchange, Tie, topology
from joinbridge.config import Amqp, Settings
from joinbridge.errors import ConfigError


def settings(**amqp: object) -> Settings:
    return Settings.model_validate({"amqp": amqp})


def test_one_queue_is_bound_to_everything_that_joinbridge_listens_to() -> None:
    wanted = topology(settings())

    assert wanted.intake == ["joinbridge.in"]
    assert {(tie.source, tie.destination, tie.key) for tie in wanted.ties} == {
        ("joinbridge.dead", "joinbridge.dead", "#"),
        ("dsp.sr", "joinbridge.in", "request.#"),
        ("dsp.sr", "joinbridge.in", "response.#"),
        ("csp.alerts", "joinbridge.in", "*.#"),
    }
    assert not any(tie.to_exchange for tie in wanted.ties)


def test_names_are_the_operators() -> None:
    bus = {"service_requests": "a", "alerts": "b", "commands": "c", "events": "d", "dead": "e"}

    wanted = topology(Settings.model_validate({"bus": bus, "amqp": {"queue": "q"}}))

    assert [(exchange.name, exchange.own) for exchange in wanted.exchanges] == [
        ("a", False),
        ("b", False),
        ("c", True),
        ("d", True),
        ("e", True),
    ]
    assert [queue.name for queue in wanted.queues] == ["e", "q"]
    assert wanted.queues[1].arguments["x-dead-letter-exchange"] == "e"


def test_partitions_hang_on_a_hashing_exchange_that_gets_nothing_before_they_do() -> None:
    wanted = topology(settings(partitions=3, partition_header="target"))

    assert Exchange(name="joinbridge.in", kind="x-consistent-hash", arguments={"hash-header": "target"}) in wanted.exchanges
    assert wanted.intake == ["joinbridge.in.0", "joinbridge.in.1", "joinbridge.in.2"]
    partitions = [Tie(source="joinbridge.in", destination=name, key="1") for name in wanted.intake]
    assert list(wanted.ties[1:4]) == partitions
    assert all(tie.to_exchange and tie.destination == "joinbridge.in" for tie in wanted.ties[4:])
    assert all(queue.essence.get("x-single-active-consumer") for queue in wanted.queues if queue.name in wanted.intake)


def test_no_queue_keeps_less_than_the_broker_must_promise() -> None:
    for queue in topology(settings(partitions=2)).queues:
        assert queue.arguments["x-queue-type"] == "quorum"
        assert queue.arguments["x-overflow"] == "reject-publish"
        assert int(queue.arguments["x-delivery-limit"]) >= 20


def test_a_plain_url_asks_for_no_tls() -> None:
    assert tls_context(Amqp()) is None


@pytest.mark.parametrize("setting", ["ca_file", "certificate_file"])
def test_a_file_that_cannot_be_read_is_named_with_its_setting(tmp_path: Path, setting: str) -> None:
    amqp = Amqp.model_validate({"url": "amqps://broker/", setting: tmp_path / "none.pem"})

    with pytest.raises(ConfigError, match=rf"amqp\.{setting}.*none\.pem"):
        tls_context(amqp)
