"""`joinbridge dashboards`."""

from __future__ import annotations

from pathlib import Path

import pytest

from joinbridge.ops.dashboards import DASHBOARDS
from support.cli import Cli


def test_build_writes_every_dashboard_where_it_is_told(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("dashboards", "build", "here", "--runbook", "https://wiki.example/runbook")

    assert outcome.code == 0
    for dashboard in DASHBOARDS:
        assert "https://wiki.example/runbook#" in (tmp_path / "here" / f"{dashboard.uid}.json").read_text("utf-8")


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "127.0.0.1:9090", "file:///etc/passwd"])
def test_render_says_that_there_is_no_prometheus(cli: Cli, address: str) -> None:
    outcome = cli("dashboards", "render", "--prometheus", address)

    assert outcome.code == 3
    assert address in outcome.complaint
