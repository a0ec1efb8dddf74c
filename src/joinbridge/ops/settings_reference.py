"""The reference of all settings, docs/settings.md, made from the settings themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import Enum

from pydantic import BaseModel, SecretStr

from joinbridge.config import Settings


def settings_markdown(note: str) -> str:
    """Return docs/settings.md: every setting with its default and meaning, under `note`."""
    lines = [
        note,
        "# Settings",
        "",
        "A TOML file (`--config`, or `JOINBRIDGE_CONFIG`) sets them by section and name. `JOINBRIDGE_<SECTION>__<NAME>` overrides one,",
        "and `JOINBRIDGE_<SECTION>__<NAME>_FILE` names a file that holds its value. Durations are seconds or ISO 8601 (`PT90M`).",
        "`joinbridge config check` finds mistakes; `joinbridge config show` shows what is in force.",
    ]
    plain = [(name, field) for name, field in Settings.model_fields.items() if not _is_section(field.annotation)]
    lines += ["", "| setting | default | meaning |", "|---|---|---|"]
    lines += [_row(name, field.get_default(call_default_factory=True), field.description or "") for name, field in plain]
    for name, field in Settings.model_fields.items():
        if _is_section(field.annotation):
            lines += _section(name, field.get_default(call_default_factory=True))
    return "\n".join([*lines, ""])


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _section(name: str, section: BaseModel) -> Iterator[str]:
    yield from ("", f"## [{name}]", "", (type(section).__doc__ or "").strip(), "", "| setting | default | meaning |", "|---|---|---|")
    for setting, field in type(section).model_fields.items():
        yield _row(setting, getattr(section, setting), field.description or "")


def _row(name: str, value: object, description: str) -> str:
    return f"| `{name}` | {_shown(value)} | {description} |"


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case SecretStr():
            return f"`{value.get_secret_value()}`"
        case timedelta():
            return f"`{value.total_seconds():g}` s" if value < timedelta(minutes=2) else f"`{_iso(value)}`"
        case frozenset():
            return ", ".join(f"`{each}`" for each in sorted(map(str, value)))
        case dict():
            return "none" if not value else f"`{value}`"
        case bool():
            return f"`{str(value).lower()}`"
        case Enum():
            return f"`{value.value}`"
    return f"`{value}`"


def _iso(value: timedelta) -> str:
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{value.days}D" if value.days else ""
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    return f"P{days}" + (f"T{time}" if time else "")
