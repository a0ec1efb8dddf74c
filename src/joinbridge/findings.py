"""What an inspection of the surroundings finds: one line for an operator, with the fix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is: an ERROR keeps joinbridge from working, a WARNING will one day."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what is so about it, and what to do; `fix` is empty where there is nothing to do."""

    severity: Severity
    what: str
    detail: str
    fix: str = ""
