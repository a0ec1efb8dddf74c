"""Captures made of corpus files and of messages of our own, and a replay of them through the command line."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from joinbridge.cli.app import app
from joinbridge.wire.capture import CaptureLine, write_line

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def line(body: bytes, source: str, minutes: float, *, region: str | None = None) -> CaptureLine:
    """Return `body` as a capture line, `minutes` after the start; the content type follows from the content."""
    at = START + timedelta(minutes=minutes)
    if body.lstrip().startswith(b"<"):
        kind, text = "application/xml", body.decode()
    elif body[:1] in (b"\xdd", b"\xdf"):
        kind, text = "application/octet-stream", b64encode(body).decode()
    else:
        kind, text = "application/vnd.gbcs+hex", body.decode()
    return CaptureLine.model_validate({"at": at, "source": source, "region": region, "content_type": kind, "body": text})


def replay(folder: Path, lines: Iterable[CaptureLine], *options: str) -> Mapping[str, Any]:
    """Return what `joinbridge replay --json` says of `lines`. Any: it is JSON."""
    capture = folder / "capture.jsonl"
    capture.write_bytes(b"".join(map(write_line, lines)))
    result = CliRunner().invoke(app, ["replay", "--json", str(capture), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    outcome: Mapping[str, Any] = json.loads(result.stdout)
    return outcome


def attempt(outcome: Mapping[str, Any], counter: int) -> Mapping[str, Any]:
    """Return the one attempt whose RequestID has that counter."""
    (found,) = (a for a in outcome["attempts"] if a["request_id"].endswith(f":{counter}"))
    one: Mapping[str, Any] = found
    return one


def verdict(outcome: Mapping[str, Any], other: str) -> tuple[str, set[int]]:
    """Return the state of the one pair with that other device, and the rows it rests on."""
    (found,) = (p for p in outcome["pairs"] if p["other"] == other)
    return found["state"], {rule["row"] for rule in found["rules"]}
