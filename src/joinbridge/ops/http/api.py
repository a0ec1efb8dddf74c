"""The API: what is recorded, read only, filtered and in pages. A page is one short transaction, whatever else there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Query
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator

from joinbridge.core.attempt import AttemptState, Deadline, JoinAttempt, Purpose
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey, RequestId, parse_eui64, parse_request_id
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.rules import RULES
from joinbridge.core.vocabulary import Intent
from joinbridge.errors import DecodeError
from joinbridge.ops.http import cursor
from joinbridge.ops.http.models import AttemptOut, DeadLetterOut, DeadlineOut, EvidenceOut, Page, PairOut, Problem, RuleOut
from joinbridge.ports import UNSETTLED, DeadLetter, DeadLetterStatus
from joinbridge.store.records import Records

T = TypeVar("T")

_Responses = dict[int | str, dict[str, Any]]  # Any: so FastAPI has it

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Between these every database can compare moments."""


def _eui64(text: str) -> DeviceId:
    try:
        return parse_eui64(text)
    except DecodeError as error:
        raise ValueError(error.reason) from error


def _request_id(text: str) -> str:
    try:
        return str(parse_request_id(text))
    except DecodeError as error:
        raise ValueError(error.reason) from error


def _moment(at: datetime) -> datetime:
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(at, EARLIEST), LATEST)


Device = Annotated[str, AfterValidator(_eui64), Query(max_length=40, description="EUI-64, as 00-DB-12-34-56-78-90-A1")]
RequestKey = Annotated[str, AfterValidator(_request_id)]
Moment = Annotated[datetime, AfterValidator(_moment)]
Limit = Annotated[int, Query(ge=1, le=1000, description="most items of a page")]
After = Annotated[str | None, Query(max_length=cursor.LONGEST, description="`next` of the page before")]

UNAVAILABLE: _Responses = {503: {"model": Problem, "description": "The database cannot be reached."}}
NOT_FOUND: _Responses = {404: {"model": Problem, "description": "There is none."}}


def routes(records: Callable[[], Records], policy: Policy) -> APIRouter:
    """Return the API over `records`, which raises StoreError until there are any."""
    api = APIRouter(prefix="/api/v1", tags=["records"], responses=UNAVAILABLE)

    @api.get("/attempts")
    async def attempts(
        state: Annotated[list[AttemptState] | None, Query()] = None,
        target: Device | None = None,
        other: Device | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        newest_first: bool = False,
        after: After = None,
        limit: Limit = 100,
    ) -> Page[AttemptOut]:
        """Return attempts by the time of their request."""
        found = await records().attempts(
            states=state or (),
            target=_device(target),
            other=_device(other),
            since=since,
            until=until,
            newest_first=newest_first,
            after=_after(after, _attempt_at),
            limit=limit,
        )
        last = _last(found, limit)
        following = None if last is None else cursor.encode(last.requested_at.isoformat(), str(last.request_id), last.intent)
        return Page(items=[AttemptOut.of(attempt) for attempt in found], next=following)

    @api.get("/attempts/{request_id}", responses=NOT_FOUND)
    async def attempts_of_request(request_id: RequestKey) -> list[AttemptOut]:
        """Return the attempts of one RequestID: one, or a Join and an Unjoin."""
        found = await records().of_request(parse_request_id(request_id))
        if not found:
            raise HTTPException(404, f"there is no attempt {request_id}")
        return [AttemptOut.of(attempt) for attempt in found]

    @api.get("/pairs")
    async def pairs(
        state: Annotated[list[PairState] | None, Query()] = None,
        target: Device | None = None,
        other: Device | None = None,
        after: After = None,
        limit: Limit = 100,
    ) -> Page[PairOut]:
        """Return pairs by their devices."""
        found = await records().pairs(
            states=state or (), target=_device(target), other=_device(other), after=_after(after, _pair_at), limit=limit
        )
        last = _last(found, limit)
        following = None if last is None else cursor.encode(last.pair.target, last.pair.other)
        return Page(items=[PairOut.of(record) for record in found], next=following)

    @api.get("/evidence")
    async def evidence(target: Device, other: Device, attempt: RequestKey | None = None) -> list[EvidenceOut]:
        """Return what was found about a pair, oldest first; with `attempt`, only what speaks of that one."""
        pair = JoinPair(parse_eui64(target), parse_eui64(other))
        found = await records().evidence(pair, attempt=None if attempt is None else parse_request_id(attempt))
        return [EvidenceOut.of(each) for each in found]

    @api.get("/deadlines")
    async def deadlines(after: After = None, limit: Limit = 100) -> Page[DeadlineOut]:
        """Return the deadlines of attempts, by the earliest of each; a page has those of `limit` attempts."""
        found = await records().waiting(after=_after(after, _waiting_at), limit=limit)
        last = _last(found, limit)
        following = None
        if last is not None:
            earliest = min(deadline.due_at for deadline in last.deadlines)
            following = cursor.encode(earliest.isoformat(), str(last.request_id), last.intent)
        return Page(items=[DeadlineOut.of(attempt, deadline) for attempt in found for deadline in attempt.deadlines], next=following)

    @api.get("/dead-letters")
    async def dead_letters(
        status: Annotated[list[DeadLetterStatus] | None, Query()] = None, after: After = None, limit: Limit = 100
    ) -> Page[DeadLetterOut]:
        """Return dead letters by when they were last seen: those that nobody has settled, if no status is given."""
        found = await records().dead_letters(statuses=status or UNSETTLED, after=_after(after, _letter_at), limit=limit)
        last = _last(found, limit)
        following = None if last is None else cursor.encode(last.last_seen.isoformat(), last.key)
        return Page(items=[DeadLetterOut.of(letter) for letter in found], next=following)

    @api.get("/rules")
    async def rules() -> list[RuleOut]:
        """Return the rules of evidence, with what the configuration lets each do."""
        return [RuleOut.of(rule, policy) for rule in RULES]

    return api


def _device(text: str | None) -> DeviceId | None:
    return None if text is None else parse_eui64(text)


def _last(found: Sequence[T], limit: int) -> T | None:
    """Return the item after which the next page begins; None when there can be none."""
    return found[-1] if len(found) == limit else None


def _after(text: str | None, make: Callable[..., T]) -> T | None:
    if text is None:
        return None
    try:
        return cursor.decode(text, make)
    except ValueError as error:
        # In the words in which every other parameter is refused.
        refused = {"type": "value_error", "loc": ("query", "after"), "msg": str(error), "input": text}
        raise RequestValidationError([refused]) from error


def _attempt_at(requested_at: str, request_id: str, intent: str) -> JoinAttempt:
    return JoinAttempt(request_id=_key(request_id), intent=Intent(intent), requested_at=_when(requested_at))


def _waiting_at(due_at: str, request_id: str, intent: str) -> JoinAttempt:
    due = Deadline(due_at=_when(due_at), purpose=Purpose.ANSWER, armed_in=AttemptState.REQUESTED)
    return JoinAttempt(request_id=_key(request_id), intent=Intent(intent), requested_at=EARLIEST, deadlines=(due,))


def _pair_at(target: str, other: str) -> PairRecord:
    return PairRecord(pair=JoinPair(_eui64(target), _eui64(other)), since=EARLIEST)


def _letter_at(last_seen: str, key: str) -> DeadLetter:
    return DeadLetter(
        key=MessageKey(key),
        body=b"",
        content_type="",
        source="",
        route="",
        region=None,
        reason="",
        offset=None,
        attempts=0,
        first_seen=EARLIEST,
        last_seen=_when(last_seen),
    )


def _key(text: str) -> RequestId:
    return parse_request_id(_request_id(text))


def _when(text: str) -> datetime:
    return _moment(datetime.fromisoformat(text))
