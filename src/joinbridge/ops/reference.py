"""The reference that is made from the code: rules.md, transitions.md, settings.md and asyncapi.yaml in docs/.

`make docs` writes them, and a test holds them. It needs PyYAML, which joinbridge does not need to run.
"""

from __future__ import annotations

import sys
from pathlib import Path

from joinbridge.config import Settings
from joinbridge.core.rules import RECORDED_ONLY, RULES
from joinbridge.ops.asyncapi import asyncapi_yaml
from joinbridge.ops.settings_reference import settings_markdown
from joinbridge.ops.transitions import transitions_markdown

_NOTE = "<!-- Made from the code by `make docs`. Changes made here are lost. -->"


def rules_markdown() -> str:
    """Return docs/rules.md: what each row of the evidence table does, rule by rule."""
    lines = [
        _NOTE,
        "# Rules of evidence",
        "",
        'Each row of the evidence table in [domain.md](domain.md), "Evidence", is a rule here or is recorded only, with the reason. A rule',
        "is data and one small pure function in `src/joinbridge/core/rules/`. Its grade is the most it can find; a message that could not",
        "be authenticated and whose producer is not trusted is graded one step down. Modes are tuned in the configuration (`[rules]`),",
        "and `joinbridge rules` lists those in force.",
        "",
        "| row | rule | grade | speaks for | mode | version | what it reads | what it finds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for rule in RULES:
        reads = ", ".join(f"`{fact.__name__}`" for fact in rule.reads)
        cells = (
            str(rule.row) if rule.row else "-",
            f"`{rule.name}`",
            rule.grade.name.lower(),
            rule.polarity.value.replace("_", " "),
            rule.default_mode.value,
            str(rule.version),
            reads,
            rule.summary,
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Rows that find nothing", "", "| row | why |", "|---|---|"]
    lines += [f"| {row} | {reason} |" for row, reason in sorted(RECORDED_ONLY.items())]
    lines += ["", "## What a verdict needs", "", *_WHAT_A_VERDICT_NEEDS, ""]
    return "\n".join(lines)


_WHAT_A_VERDICT_NEEDS = (
    "- **Joined**: one conclusive finding, or two strong ones of different families and messages. Each must be newer than the question,",
    "  newer than every conclusive finding against it (of two strong ones: than every strong one too), and certainly from after every",
    "  Unjoin that may have been carried out. One that was not answered may still be, until the network has forgotten it.",
    "- An entry of a Device Log whose type cannot be compared, as nobody has told it, waits until somebody does: in live mode, and",
    "  where an inventory tells types (`evidence.needs_type` in [settings.md](settings.md)). Elsewhere it counts.",
    "- Whatever producers say that are not trusted, and whatever a User hands in unverified, is one witness.",
    "- **Not joined**: a conclusive finding that is newer than every conclusive finding for it and than every join still unproven.",
    "- Corroborating findings never decide, however many there are. Findings of rules in shadow are recorded and never count.",
    "- Counters of one originator order commands; elsewhere time does, and where the order cannot be known nothing is inferred.",
)


def write(folder: Path) -> None:
    """Write all of them into `folder`."""
    made = {
        "rules.md": rules_markdown(),
        "transitions.md": transitions_markdown(_NOTE),
        "settings.md": settings_markdown(_NOTE),
        "asyncapi.yaml": asyncapi_yaml(Settings.model_construct(), _NOTE.strip("<!->").strip()),
    }
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
