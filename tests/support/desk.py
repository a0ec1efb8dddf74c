"""Somebody who asks the port of a deployed sidecar."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Self

import httpx

from support.deployment import Process


class Desk:
    """Asks the port at `address`."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=address, timeout=30)

    def lives(self) -> bool:
        return self._client.get("/livez").status_code == 200

    def failing(self) -> dict[str, str]:
        """Return why it is not ready, by check."""
        answer = self._client.get("/readyz")
        failing = {check["name"]: check["reason"] for check in answer.json()["checks"]}
        assert answer.status_code == (503 if failing else 200)
        return failing

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def events(process: Process, name: str) -> list[dict[str, object]]:
    """Return the events of that name which the sidecar has logged, with those of its predecessors."""
    lines = (json.loads(line) for line in process.said().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("event") == name]


def address_of(process: Process) -> str:
    """Return where the port of a sidecar is that is ready, as it says itself."""
    return str(events(process, "ready")[-1]["http"])
