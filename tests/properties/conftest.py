"""For the stateful properties: their site is closed at the end, and the steps that they took are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from support.stateful import STEPS, close_workshop

_ELSEWHERE: Counter[str] = Counter()
"""What the workers have taken, where tests are shared out among several."""


@pytest.fixture(autouse=True, scope="session")
def workshop_is_closed() -> Iterator[None]:
    yield
    close_workshop()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["stateful steps"] = dict(STEPS)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    _ELSEWHERE.update(getattr(node, "workeroutput", {}).get("stateful steps", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    steps = STEPS + _ELSEWHERE
    if steps:
        each = ", ".join(f"{name} {count:,}" for name, count in sorted(steps.items()))
        terminalreporter.write_line(f"{steps.total():,} stateful steps: {each}")
