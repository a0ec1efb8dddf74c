"""The story of one Join or Unjoin in one sentence, and the group of the report it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum

from joinbridge.ops.account import ANSWERED, Doing, Mark, Move, Story, Way
from joinbridge.ops.wording import LEGS, code, span

_NOTICED: Mapping[str | None, str] = {
    "deadline": "overdue after {}",
    "E21": "the DSP reported no response (E21) after {}",
    "N13": "the DSP reported no response (N13) after {}",
    "8F2C": "the hub reported it discarded (8F2C) after {}",
}


class Group(Enum):
    """What the stories are sorted by: the heading of the group, and what is in it."""

    LOST = "Answer lost", "The device acted, and its answer never came."
    LATE = "Answer late, or command lost", "Looked like a lost answer, or was one until the answer came."
    EARLY = "Proven before the answer came", "A device's own alert was faster than its answer, which came in time."
    REFUSED = "Refused, or never sent", "The device or the DSP said no: nothing to find, shown because it was not plain success."
    UNJOIN = "Unjoins", "The other direction: the entry was to be removed."

    def __init__(self, heading: str, says: str) -> None:
        self.heading = heading
        self.says = says


def group(story: Story) -> Group:
    """Return the group a story belongs to."""
    states = {mark.state for mark in story.marks}
    if story.unjoin:
        return Group.UNJOIN
    if story.answer_lost:
        return Group.LOST
    if story.command_lost or states & {"response_lost", "unresolved", "disproved"}:
        return Group.LATE
    return Group.EARLY if "inferred_success" in states else Group.REFUSED


def sentence(story: Story) -> str:
    """Return what happened, in order, as one sentence."""
    clauses = "; ".join((*_device(story), *_searched(story), *_concluded(story)))
    return f"{clauses[:1].upper()}{clauses[1:]}."


def outcome(story: Story) -> str:
    """Return in a word or two what joinbridge says of it in the end."""
    if story.false:
        return "false inference"
    if story.wrong:
        return "wrongly disproved"
    if story.missed:
        return "missed"
    verdict = story.verdict
    if verdict is None:
        return {"unresolved": "with a person", "not_sent": "never sent"}.get(story.state or "", "open")
    return _VERDICTS[verdict.state][story.unjoin]


def found_after(story: Story) -> timedelta | None:
    """Return how long after its loss the truth of a lost answer was found."""
    if not story.answer_lost or story.executed_at is None or story.verdict is None:
        return None
    return max(story.verdict.at - story.executed_at, timedelta())


_VERDICTS: Mapping[str, tuple[str, str]] = {
    "succeeded": ("joined", "gone"),
    "confirmed_late": ("joined", "gone"),
    "inferred_success": ("joined", "gone"),
    "disproved": ("not carried out", "not carried out"),
    "rejected": ("refused", "refused"),
}
"""What a verdict means for a Join, and for an Unjoin."""


def _device(story: Story) -> Iterator[str]:
    """What really happened: joinbridge saw nothing of this."""
    if story.refused is not None:
        yield f"the DSP refused it with {story.refused}, and nothing was sent"
        return
    if story.executed_at is None:
        yield f"the command never reached the {story.target_type}" if story.command_lost else f"the {story.target_type} was not reached"
        return
    did = "carried it out" if story.code == 0 else f"refused it with {code(story.code, unjoin=story.unjoin)},"
    again = "; the first command had been lost" if story.command_lost else ""
    yield f"the {story.target_type} {did} {span(story.executed_at - story.asked_at)} after the request{again}"
    if story.lost_on is not None:
        yield f"its answer was lost {LEGS.get(story.lost_on, story.lost_on)}"


def _searched(story: Story) -> Iterator[str]:
    if story.heard_late is not None:
        yield f"the bus delivered the request itself only after {span(story.heard_late)}"
    missed: set[Doing] = set()
    for move in story.moves:
        if move.doing not in missed:
            missed.add(move.doing)
            yield _move(move, story)


def _move(move: Move, story: Story) -> str:
    match move.doing:
        case Doing.MISSED:
            return _NOTICED.get(move.reason, "missed after {}").format(span(move.at - story.asked_at))
        case Doing.ASKED_AGAIN:
            return "the DSP was asked to issue it again"
        case Doing.LOG_READ:
            return f"the {story.target_type}'s Device Log was asked for"


def _concluded(story: Story) -> Iterator[str]:
    verdict = story.verdict
    if verdict is not None:
        yield _said(verdict, story)
        answered = next((mark for mark in story.marks if mark.state in ANSWERED and mark.at > verdict.at), None)
        if answered is not None:
            says = "a repeat of the command was refused" if answered.state == "rejected" else "the answer agreed"
            yield f"{says} {span(answered.at - verdict.at)} later"
    elif story.state == "unresolved" and not story.wrong:
        yield "nothing proved it either way, so a person decides"
    if story.false:
        yield "joinbridge inferred it falsely" + ("" if verdict == story.wrongly else ", and took that back")
    elif story.wrong:
        yield "this was not so: it had been carried out"
    elif story.missed:
        yield "proof had been delivered, and joinbridge missed it"
    if story.corrected_at is not None:
        yield "the inventory was told so" if story.wrong else "joinbridge put the inventory right"


def _said(verdict: Mark, story: Story) -> str:
    match verdict.state:
        case "inferred_success":
            proven = f"proven {'gone' if story.unjoin else 'joined'}"
            if verdict.way is Way.REPEAT:
                return f"the Supplier asked anew, and the answer to that {proven.replace('proven', 'proved it')}"
            early = story.executed_at is not None and not story.answer_lost and not story.moves and story.answered_at is not None
            return f"{proven} before the answer came" if early else proven
        case "confirmed_late":
            return "the answer came after all"
        case "succeeded":
            return "the answer came"
        case "rejected":
            return "the answer said so" if story.code else "a later answer refused it"
        case _:
            return "proven not carried out"
