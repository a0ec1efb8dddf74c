"""What brokers do to a deployed sidecar that networks do not: confirms and acks are forgotten, and deliveries come twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from support.amqp_wire import AmqpWire, Mischief, Orders
from support.deployment import Deployment, Process
from support.living import Sidecar, at_moments, await_last_day, live_through
from support.proxy import Proxy

pytestmark = pytest.mark.faults


class Meddled:
    """A deployment whose sidecar reaches the broker by a wire that obeys `orders`."""

    def __init__(self, made: Deployment, proxy: Proxy, orders: Orders) -> None:
        self.made = made
        self.proxy = proxy
        self.orders = orders

    def live_through(self, every: Mapping[Mischief, int], *, resets: int = 0) -> None:
        """Live with that mischief and so many resets until the estate's last day; then the wire behaves, on new connections."""

        def disturb(_: Sidecar, estate: Process) -> None:
            self.orders.every = every
            at_moments(estate, resets, 28, seed=21, act=self.proxy.reset)
            await_last_day(self.made, estate)
            self.orders.every = {}
            self.proxy.reset()

        live_through(self.made, disturb)


@pytest.fixture
def meddled(made: Deployment) -> Iterator[Meddled]:
    orders = Orders()
    with Proxy(made.host.url, lambda: AmqpWire(orders)) as proxy:
        made.for_sidecars["JOINBRIDGE_AMQP__URL"] = proxy.url
        made.for_sidecars["JOINBRIDGE_AMQP__PUBLISH_TIMEOUT"] = "0.5"  # more than half an hour of the estate's time
        yield Meddled(made, proxy, orders)


def test_every_seventh_confirm_is_forgotten(meddled: Meddled) -> None:
    meddled.live_through({Mischief.DROP_CONFIRM: 7})

    assert meddled.orders.done[Mischief.DROP_CONFIRM] >= 20


def test_every_third_acknowledgement_is_forgotten_and_what_it_was_for_comes_again(meddled: Meddled) -> None:
    # One acknowledgement speaks of a whole batch, and a slow machine makes few large ones of the same messages.
    meddled.made.for_sidecars["JOINBRIDGE_BATCH__LIMIT"] = "10"

    meddled.live_through({Mischief.DROP_ACK: 3}, resets=5)

    assert meddled.orders.done[Mischief.DROP_ACK] >= 50


def test_every_second_delivery_comes_twice(meddled: Meddled) -> None:
    meddled.live_through({Mischief.DOUBLE_DELIVERY: 2})

    assert meddled.orders.done[Mischief.DOUBLE_DELIVERY] >= 1_000
