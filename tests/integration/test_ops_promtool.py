"""What Prometheus's own linter says of the metrics."""

from __future__ import annotations

import shutil
import subprocess

from joinbridge.config import Settings
from joinbridge.wiring.operations import Operations
from support import services


def test_it_finds_nothing_to_complain_of() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        services.missing("promtool")
    assert promtool is not None

    checked = subprocess.run([promtool, "check", "metrics"], input=Operations(Settings()).metrics.text(), capture_output=True, check=False)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
