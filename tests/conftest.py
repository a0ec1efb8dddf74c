"""For all tests: how hard Hypothesis tries, and the servers, which start when the first test asks for them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from support import services

# On a machine that is busy with other tests a slow example says nothing about the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)

# dev: a quick look with new examples each time. ci: a long look at the same examples each time, so that a failure there is one here.
settings.register_profile("dev", UNHURRIED, max_examples=25, stateful_step_count=20)
settings.register_profile("ci", UNHURRIED, max_examples=150, stateful_step_count=50, derandomize=True)
# first: as dev, for who wants to know only whether anything fails, and not the smallest example of it.
settings.register_profile("first", settings.get_profile("dev"), phases=[Phase.explicit, Phase.generate])
# prove: for the stateful properties alone, which take more than a million steps then.
settings.register_profile("prove", UNHURRIED, max_examples=1_100, stateful_step_count=50)

PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to see a failure again."""
    again = "the same examples each time" if PROFILE == "ci" else "a failure prints its @reproduce_failure line"
    seed = config.getoption("--hypothesis-seed")
    return f"hypothesis profile: {PROFILE}; {again if seed is None else f'seed {seed}'}"


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[services.RabbitMq]:
    """A RabbitMQ that all tests share; each makes a virtual host of its own in it."""
    with services.rabbitmq() as server:
        yield server


@pytest.fixture
def virtual_host(rabbitmq: services.RabbitMq) -> Iterator[services.VirtualHost]:
    """A virtual host of the shared RabbitMQ for one test."""
    with rabbitmq.virtual_host() as host:
        yield host


@pytest.fixture(scope="session")
def postgresql() -> Iterator[services.PostgreSql]:
    """A PostgreSQL that all tests share; each makes a database of its own in it."""
    with services.postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[services.Mosquitto]:
    """A Mosquitto that all tests share; each uses client identifiers and topics of its own."""
    with services.mosquitto() as server:
        yield server
