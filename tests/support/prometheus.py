"""A real Prometheus for tests, and promtool: Debian's, on a free port, with a data folder of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.services import Server, free_port, missing

Sample = tuple[Mapping[str, str], float]


class PrometheusServer(Server):
    """Is ready when it says so, not when its port is open."""

    def ready(self) -> bool:
        """Return whether it answers queries."""
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
        return False


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs."""

    server: PrometheusServer

    @property
    def url(self) -> str:
        """Where to ask it."""
        return f"http://127.0.0.1:{self.server.port}"

    def query(self, expr: str) -> Sequence[Sample]:
        """Return what `expr` is now; a scalar is one sample without labels."""
        data = self.call("query", query=expr)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in data["result"]]

    def call(self, what: str, **parameters: str) -> Any:  # Any: JSON
        """Return the data of `/api/v1/<what>`; fail with Prometheus's own words."""
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - ours
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error


def promtool(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool; skip the test where it is not installed."""
    found = shutil.which("promtool")
    if found is None:
        missing("Prometheus")
    return subprocess.run([str(found), *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def prometheus(*targets: str, rules: Sequence[Path] = (), interval: str = "1s") -> Iterator[Prometheus]:
    """Start a Prometheus that scrapes `targets` (`host:port` or `host:port/path?name=value`) and evaluates `rules` every `interval`.

    Alerts fire as soon as their expression holds.
    """
    found = shutil.which("prometheus")
    if found is None:
        missing("Prometheus")
    with tempfile.TemporaryDirectory(prefix="prometheus-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copied = []
        for file in rules:
            # The groups have intervals of their own, and alerts wait before they fire; a test has no minutes.
            text = re.sub(r"^    interval: .*\n", "", file.read_text("utf-8"), flags=re.MULTILINE)
            (folder / file.name).write_text(re.sub(r"^(        for:) .*$", r"\1 0s", text, flags=re.MULTILINE), "utf-8")
            copied.append(str(folder / file.name))
        jobs = [_job(index, target) for index, target in enumerate(targets)]
        times = {"scrape_interval": interval, "evaluation_interval": interval, "scrape_timeout": interval}
        configuration = {"global": times, "rule_files": copied, "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(json.dumps(configuration), "utf-8")  # JSON is YAML
        port = free_port()
        server = PrometheusServer(
            command=[
                str(found),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            folder=folder,
            port=port,
        )
        server.start()
        try:
            yield Prometheus(server)
        finally:
            server.stop()


def _job(index: int, target: str) -> Mapping[str, object]:
    parts = urllib.parse.urlsplit(f"http://{target}")
    return {
        "job_name": f"target-{index}",
        "metrics_path": parts.path or "/metrics",
        "params": urllib.parse.parse_qs(parts.query),
        "static_configs": [{"targets": [parts.netloc]}],
    }
