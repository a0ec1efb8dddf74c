"""What joinbridge announces and asks for, read from the outside: CloudEvents on its exchanges."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from joinbridge.core.ids import DeviceId, JoinPair, RequestId, parse_eui64, parse_request_id
from joinbridge.core.vocabulary import Intent
from joinbridge.errors import DecodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """One `join.<state>`: what joinbridge decided, about which pair, when, and between which moments it was true.

    `intent` is None when it speaks of the pair alone.
    """

    at: datetime
    state: str
    pair: JoinPair | None
    request_id: RequestId | None = None
    intent: Intent | None = None
    response_code: int | None = None
    rules: tuple[str, ...] = ()
    proven_between: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One `notice.supplier`: what a Supplier is told about its request."""

    request_id: RequestId
    kind: str


@dataclass(slots=True)
class CommandCount:
    """How many of each joinbridge sent."""

    retries: int = 0
    probes: int = 0
    notices: int = 0


def parse_announced(body: bytes) -> Announced:
    """Return the decision that a `join.<state>` event tells.

    Raises: DecodeError when it is not such an event.
    """
    try:
        event = json.loads(body)
        return _announced(event["time"], event["data"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DecodeError(f"not a join event: {error}") from error


def parse_notice(body: bytes) -> Notice:
    """Return what a `notice.supplier` tells.

    Raises: DecodeError when it is not one.
    """
    try:
        data = json.loads(body)["data"]
        return Notice(request_id=parse_request_id(data["request_id"]), kind=str(data["kind"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DecodeError(f"not a notice: {error}") from error


def _announced(time: str, data: dict[str, str | int | list[str] | None]) -> Announced:
    """Read the body of an event: the one place that knows its keys."""
    target, other, request_id, intent = (data.get(key) for key in ("target", "other", "request_id", "intent"))
    code, rules, proven = data.get("response_code"), data.get("rules"), data.get("proven_between")
    return Announced(
        at=_moment(time),
        state=str(data["state"]),
        pair=None if target is None or other is None else JoinPair(_device(target), _device(other)),
        request_id=None if request_id is None else parse_request_id(str(request_id)),
        intent=None if intent is None else Intent(str(intent)),
        response_code=code if isinstance(code, int) else None,
        rules=tuple(rules) if isinstance(rules, list) else (),
        proven_between=(_moment(proven[0]), _moment(proven[1])) if isinstance(proven, list) else None,
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _device(text: object) -> DeviceId:
    return parse_eui64(str(text))
