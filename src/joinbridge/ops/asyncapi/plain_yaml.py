"""YAML of plain data. What reads YAML is no dependency of joinbridge, and to write this little needs none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

Plain = Mapping[str, "Plain"] | Sequence["Plain"] | str | int | bool | None

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./ ()-]*(?<! )")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Plain words that some readers take for something else."""


def as_yaml(value: Plain) -> str:
    """Return `value` as a YAML 1.2 document; what it reads back is equal."""
    return "\n".join([*_lines(value), ""])


def _lines(value: Plain) -> Iterator[str]:
    match value:
        case Mapping() if value:
            for name, inner in value.items():
                yield from _entry(f"{_scalar(name)}:", inner)
        case Sequence() if value and not isinstance(value, str):
            for inner in value:
                first, *rest = _lines(inner)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
        case _:
            yield _scalar(value)


def _entry(name: str, inner: Plain) -> Iterator[str]:
    if not inner or isinstance(inner, str | int):
        yield f"{name} {_scalar(inner)}"
        return
    yield name
    yield from (f"  {line}" for line in _lines(inner))


def _scalar(value: Plain) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML
