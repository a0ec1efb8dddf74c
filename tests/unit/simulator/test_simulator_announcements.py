"""Reading what joinbridge publishes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from joinbridge.core.effects import NoticeKind, NotifySupplier, PublishEvent
from joinbridge.core.ids import JoinPair, RequestId
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.errors import DecodeError
from joinbridge.simulator.announcements import Announced, Notice, parse_announced, parse_notice
from joinbridge.simulator.parties import SUPPLIERS, device_id
from joinbridge.wire.effects import outgoing

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAIR = JoinPair(device_id(1, DeviceType.ESME, 0), device_id(1, DeviceType.TYPE2, 0))
REQUEST = RequestId(SUPPLIERS[0], PAIR.target, 1)


def test_what_joinbridge_writes_of_an_attempt_is_read() -> None:
    event = PublishEvent(
        key="k",
        at=AT,
        state=PairState.INFERRED_SUCCESS,
        pair=PAIR,
        request_id=REQUEST,
        intent=Intent.JOIN,
        response_code=3,
        rules=("a", "b"),
        proven_between=(AT - timedelta(hours=1), AT),
    )

    read = parse_announced(outgoing(event, AT).body)

    assert read == Announced(
        at=AT,
        state="inferred_success",
        pair=PAIR,
        request_id=REQUEST,
        intent=Intent.JOIN,
        response_code=3,
        rules=("a", "b"),
        proven_between=(AT - timedelta(hours=1), AT),
    )


def test_what_joinbridge_writes_of_a_pair_is_read() -> None:
    read = parse_announced(outgoing(PublishEvent(key="k", at=AT, state=PairState.JOINED, pair=PAIR), AT).body)

    assert read == Announced(at=AT, state="joined", pair=PAIR)


def test_a_notice_is_read() -> None:
    notice = NotifySupplier(key="k", request_id=REQUEST, intent=Intent.UNJOIN, kind=NoticeKind.UNJOIN_AGAIN)

    assert parse_notice(outgoing(notice, AT).body) == Notice(request_id=REQUEST, kind="unjoin-again")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"time": 1, "data": {}}', b'{"data": {"request_id": "x", "kind": "y"}}', b"\xff"])
def test_anything_else_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_announced(body)
    with pytest.raises(DecodeError):
        parse_notice(body)
