"""What the inventory is believed to hold of a pair, and what we owe it so that it becomes true.

The DSP acts on each answer that reaches it, in the order of arrival; a late one may undo what a later one did. What was inferred is ours to
write, and so is the taking back of it.
"""

from __future__ import annotations

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.effects import UpdateInventory
from joinbridge.core.facts import JoinAnswered, RequestAcknowledged, Sighting
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.rules import PairContext
from joinbridge.core.rules.context import matches
from joinbridge.core.rules.delivery import SMI_SAYS_NOT_JOINED
from joinbridge.core.standing import Standing
from joinbridge.core.vocabulary import Intent


def inventory_word(attempt: JoinAttempt, sighting: Sighting) -> bool | None:
    """Return what the inventory holds of the pair of `attempt` by what `sighting` says; None when it says nothing of that.

    A device's success is what the DSP acts on, and a refused Unjoin is how it lets us look.
    """
    match sighting.fact:
        case JoinAnswered(intent=intent, code=0) as fact if intent is attempt.intent and matches(attempt, fact.business_key, fact.wire_key):
            return intent is Intent.JOIN if attempt.rival is None else None
        case RequestAcknowledged(request_id=key, code=code) if code == SMI_SAYS_NOT_JOINED and key == attempt.request_id:
            return False if attempt.intent is Intent.UNJOIN and attempt.rival is None else None
    return None


def correction(record: PairRecord, standing: Standing, context: PairContext) -> UpdateInventory | None:
    """Return the update that makes the inventory true; None where it is true already, or where nothing is known."""
    if standing.state in HELD_JOINED:
        joined = True
    elif standing.state in (PairState.NOT_JOINED, PairState.DISPUTED):
        joined = False
    else:
        return None
    if record.held is joined and not _may_be_overtaken(record, standing):
        return None
    if record.held is None and not joined and not _concluded(standing, context):
        return None  # nothing says that it holds anything else
    cause = standing.basis[-1].message if standing.basis else "unproven"
    return UpdateInventory(
        key=f"smi:{record.pair.target}:{record.pair.other}:{'joined' if joined else 'gone'}:{record.version}:{cause}",
        pair=record.pair,
        joined=joined,
        expected=not joined,
        reason="; ".join(e.says for e in standing.basis),
    )


def _may_be_overtaken(record: PairRecord, standing: Standing) -> bool:
    """Whether what the DSP has just done by itself may be undone by an earlier write of ours that is only now carried out."""
    changed = standing.state is not record.state
    return changed and record.corrected and any(e.reached_inventory for e in standing.basis)


def _concluded(standing: Standing, context: PairContext) -> bool:
    """Whether it took an inferred Unjoin, or a person, to know that the pair is not joined."""
    inferred = any(a.state is AttemptState.INFERRED_SUCCESS for a in context.on_pair(Intent.UNJOIN))
    return inferred or any(e.by_person for e in standing.basis)
