"""Servers that only these tests use: they are killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deployment import Deployment, deployment
from support.services import PostgreSql, RabbitMq
from support.services import postgresql as start_postgresql
from support.services import rabbitmq as start_rabbitmq

SPEED = 4000.0
SPEED_OF_MANY = 800.0


@pytest.fixture(scope="session")
def broker() -> Iterator[RabbitMq]:
    with start_rabbitmq("collect_statistics_interval = 1000\n") as server:
        yield server


@pytest.fixture(scope="session")
def records() -> Iterator[PostgreSql]:
    """The records' server: what it has committed survives its own end, if not the machine's."""
    with start_postgresql("fsync=off") as server:
        yield server


@pytest.fixture(scope="session")
def smi() -> Iterator[PostgreSql]:
    """The server of the inventory of record."""
    with start_postgresql("fsync=off") as server:
        yield server


@pytest.fixture
def made(tmp_path: Path, broker: RabbitMq, records: PostgreSql, smi: PostgreSql) -> Iterator[Deployment]:
    """A deployment that lives through a day in some 20 seconds."""
    with broker.virtual_host() as host, deployment(tmp_path, host, records, smi, speed=SPEED) as made:
        yield made


@pytest.fixture
def made_for_many(tmp_path: Path, broker: RabbitMq, records: PostgreSql, smi: PostgreSql) -> Iterator[Deployment]:
    """A deployment that lives through a day in two minutes, so that thousands of homes find the time."""
    with broker.virtual_host() as host, deployment(tmp_path, host, records, smi, speed=SPEED_OF_MANY) as made:
        yield made
