"""The funnel of a run: answers lost, evidence that came, truth found, inventory right; and what became of the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from joinbridge.ops.account import JOINED, DemoReport, Inventory, Story, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a stage. `tone` says how it is drawn: main, second, third, or bad."""

    label: str
    count: int
    tone: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: what is in it, by its parts, and what went no further than the stage before."""

    label: str
    says: str
    parts: tuple[Part, ...]
    rest: tuple[Part, ...] = ()

    @property
    def count(self) -> int:
        """How many got this far."""
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """The four stages, by name."""

    lost: Stage
    evidence: Stage
    found: Stage
    inventory: Stage

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order."""
        return (self.lost, self.evidence, self.found, self.inventory)


def funnel(report: DemoReport) -> Funnel:
    """Return the funnel of the Joins whose answer was lost."""
    lost = report.lost
    seen = [each for each in lost if each.verdict is not None or each.proof_at is not None]
    unseen = [each for each in lost if each.verdict is None and each.proof_at is None]
    said = [each for each in seen if each.verdict is not None]
    found = [each for each in said if not each.wrong]
    return Funnel(
        lost=Stage(label="Answers lost", says="acted, but nobody heard", parts=(Part(label="lost", count=len(lost)),)),
        evidence=Stage(
            label="Evidence came",
            says="the bus could tell",
            parts=_parts(_by_way(seen)),
            rest=_parts({"never provable, with a person": _count(unseen, _with_person), "never provable": _count(unseen, _open)}),
        ),
        found=Stage(
            label="Truth found",
            says="said by joinbridge, rightly",
            parts=_parts({"joined": _count(found, _joined), "not carried out": len(found) - _count(found, _joined)}),
            rest=(
                *_bad("inferred falsely", _count(said, lambda each: each.false)),
                *_bad("disproved wrongly", _count(said, lambda each: each.wrong and not each.false)),
                *_bad("proof missed", _count(seen, lambda each: each.verdict is None and each.missed)),
                *_parts({"overtaken by an Unjoin": _count(seen, lambda each: each.verdict is None and not each.missed)}),
            ),
        ),
        inventory=Stage(
            label="Inventory right",
            says="what the SMI says since",
            parts=_parts(
                {
                    "corrected by joinbridge": _count(found, lambda each: each.inventory is Inventory.CORRECTED),
                    "right without it": _count(found, lambda each: each.inventory is Inventory.RIGHT),
                }
            ),
            rest=_bad("still wrong", _count(found, lambda each: each.inventory not in (Inventory.CORRECTED, Inventory.RIGHT))),
        ),
    )


def _by_way(seen: Iterable[Story]) -> dict[str, int]:
    """Count by what the truth was found from; proof that was delivered and not used counts as evidence."""
    ways = Counter(Way.EVIDENCE if story.verdict is None else story.verdict.way for story in seen)
    return {
        "from logs and alerts": ways[Way.EVIDENCE],
        "from the answer, after all": ways[Way.OWN_ANSWER],
        "from a Supplier's repeat": ways[Way.REPEAT],
    }


def _joined(story: Story) -> bool:
    return story.verdict is not None and story.verdict.state in JOINED


def _with_person(story: Story) -> bool:
    return story.state == "unresolved"


def _open(story: Story) -> bool:
    return story.state != "unresolved"


def _count(stories: Sequence[Story], wanted: Callable[[Story], bool]) -> int:
    return sum(map(wanted, stories))


def _parts(counts: Mapping[str, int]) -> tuple[Part, ...]:
    """Return the parts there are; each name keeps its tone, whether or not the others are there."""
    tones = ("main", "second", "third")
    return tuple(Part(label=label, count=count, tone=tone) for (label, count), tone in zip(counts.items(), tones, strict=False) if count)


def _bad(label: str, count: int) -> tuple[Part, ...]:
    return (Part(label=label, count=count, tone="bad"),) if count else ()
