"""`joinbridge simulate`: what it says when something is missing. That it plays an estate is shown on real brokers, in tests/faults."""

from __future__ import annotations

import pytest

from support.cli import Cli


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((), "inventory.url is not set: it is where the simulated SMI is kept"),
        (("--alerts-over", "mqtt"), "mqtt.url is not set: it is where the alerts are to be published"),
    ],
)
def test_a_service_that_is_not_configured_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], says: str) -> None:
    if given:
        monkeypatch.setenv("JOINBRIDGE_INVENTORY__URL", "sqlite:///smi.db")

    outcome = cli("simulate", "--days", "1", *given)

    assert outcome.code == 1
    assert says in outcome.complaint


def test_homes_are_not_installed_for_longer_than_the_estate_lives(cli: Cli) -> None:
    outcome = cli("simulate", "--days", "1", "--installing", "2")

    assert outcome.code == 2
    assert "the estate lives 1 days only" in outcome.complaint
