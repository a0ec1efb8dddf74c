"""What the network does to a deployed sidecar: its connections are slow, cut up, deaf in one direction, and reset at any octet."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from support.deployment import Deployment, Process
from support.living import Sidecar, at_moments, live_through
from support.proxy import Proxy, Weather

pytestmark = pytest.mark.faults


@pytest.fixture
def to_broker(made: Deployment) -> Iterator[Proxy]:
    with Proxy(made.host.url) as proxy:
        made.for_sidecars["JOINBRIDGE_AMQP__URL"] = proxy.url
        yield proxy


@pytest.fixture
def to_database(made: Deployment) -> Iterator[Proxy]:
    with Proxy(made.database_url) as proxy:
        made.for_sidecars["JOINBRIDGE_DATABASE__URL"] = proxy.url
        yield proxy


def deaf(proxy: Proxy, weather: Weather, for_s: float = 1.5) -> Callable[[], None]:
    """Return what lets `weather` pass over `proxy`, and resets it in the middle."""

    def act() -> None:
        fair, proxy.weather = proxy.weather, weather
        time.sleep(for_s)
        proxy.reset()
        proxy.weather = fair

    return act


def test_the_way_to_the_broker_is_slow_and_cut_up(made: Deployment, to_broker: Proxy) -> None:
    to_broker.weather = Weather(latency_s=0.002, slice_at_most=1_000)

    live_through(made, lambda _sidecar, _estate: None)


def test_the_way_to_the_broker_is_reset_again_and_again(made: Deployment, to_broker: Proxy) -> None:
    def disturb(_: Sidecar, estate: Process) -> None:
        at_moments(estate, 12, 28, seed=11, act=to_broker.reset)

    live_through(made, disturb)
    assert to_broker.resets >= 12


def test_confirms_and_deliveries_stay_away_while_the_broker_hears_all(made: Deployment, to_broker: Proxy) -> None:
    """What was published, or acknowledged, arrived; nobody on this side can know."""

    def disturb(_: Sidecar, estate: Process) -> None:
        at_moments(estate, 5, 24, seed=12, act=deaf(to_broker, Weather(stalled_to_client=True)))

    live_through(made, disturb)


def test_acknowledgements_and_publications_stay_away_while_the_sidecar_hears_all(made: Deployment, to_broker: Proxy) -> None:
    def disturb(_: Sidecar, estate: Process) -> None:
        at_moments(estate, 5, 24, seed=13, act=deaf(to_broker, Weather(stalled_to_server=True)))

    live_through(made, disturb)


def test_commits_whose_outcome_nobody_hears(made: Deployment, to_database: Proxy) -> None:
    """The way to the database is reset at any octet, and goes deaf: a commit may be done or not."""
    chance = random.Random(14)

    def act() -> None:
        if chance.random() < 0.5:
            to_database.reset()
        else:
            deaf(to_database, Weather(stalled_to_client=True), for_s=0.5)()

    live_through(made, lambda _, estate: at_moments(estate, 12, 26, seed=14, act=act))
    assert to_database.resets >= 12
