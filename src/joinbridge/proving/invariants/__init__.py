"""What must hold of every history, whatever went wrong in it: docs/architecture.md, "What holds at all times", number by number.

Each function yields what is wrong, in words: nothing, when all is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from joinbridge.proving.history import History
from joinbridge.proving.invariants.attempts import a_deadline_fires_once_and_never_early, a_late_answer_never_silently_reopens
from joinbridge.proving.invariants.books import the_audit_chain_is_whole, the_counts_are_those_of_the_history
from joinbridge.proving.invariants.effects import (
    an_effect_is_carried_out_once,
    retries_and_probes_are_bounded,
    the_inventory_is_the_fold_of_its_history,
)
from joinbridge.proving.invariants.inference import (
    a_contradiction_disputes_at_once,
    nothing_is_inferred_that_is_not_so,
    what_is_inferred_has_its_evidence,
)
from joinbridge.proving.invariants.messages import (
    a_dead_letter_says_what_happened,
    every_message_is_applied_or_dead,
    no_acknowledgement_precedes_its_commit,
)

Invariant = Callable[[History], Iterator[str]]

INVARIANTS: Mapping[int, Invariant] = dict(
    enumerate(
        (
            every_message_is_applied_or_dead,
            an_effect_is_carried_out_once,
            no_acknowledgement_precedes_its_commit,
            the_inventory_is_the_fold_of_its_history,
            what_is_inferred_has_its_evidence,
            a_contradiction_disputes_at_once,
            a_deadline_fires_once_and_never_early,
            a_late_answer_never_silently_reopens,
            retries_and_probes_are_bounded,
            a_dead_letter_says_what_happened,
            the_audit_chain_is_whole,
            the_counts_are_those_of_the_history,
            nothing_is_inferred_that_is_not_so,
        ),
        start=1,
    )
)
"""All of them, by their numbers."""


def violations(history: History) -> Sequence[str]:
    """Return all that is wrong with `history`, each with the number of what it breaks."""
    return [f"{number}: {wrong}" for number, holds in INVARIANTS.items() for wrong in holds(history)]
