"""Loading: one TOML file, overridden by environment variables, with secrets from files."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from joinbridge.config.sections import Section
from joinbridge.config.settings import Settings
from joinbridge.core.rules import RULES
from joinbridge.errors import ConfigError

CONFIG_VARIABLE = "JOINBRIDGE_CONFIG"
_PREFIX = "JOINBRIDGE_"
_DELIMITER = "__"
_FILE = "_FILE"

Place = tuple[str, ...]
"""Where a setting is: `("database", "url")`."""


def load(path: Path | None = None) -> Settings:
    """Return the settings of the file `path` (or the one that `JOINBRIDGE_CONFIG` names), overridden by the environment.

    Raises: ConfigError that names each wrong setting, where it was set, and what is wrong with it.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    path = path or (Path(named) if named else None)
    variables = _variables(os.environ)
    values: Mapping[str, object] = {} if path is None else _read_toml(path)
    for place, variable in sorted(variables.items()):
        values = _with(values, place, _value(variable, os.environ[variable]))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_in_words(one, variables, path) for one in error.errors(include_url=False))) from error


def _read_toml(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _variables(environment: Mapping[str, str]) -> Mapping[Place, str]:
    """Return the variable that sets each setting which the environment sets.

    Raises: ConfigError for one that is meant to set something and does not. Others with our prefix are left alone: Kubernetes makes
    `JOINBRIDGE_PORT` and its like for a service of that name.
    """
    found: dict[Place, str] = {}
    meant = {_spelt(variable): variable for variable in (CONFIG_VARIABLE, *map(_variable, _places()))}
    # Those that name files come first, so that the others go before them.
    for variable in sorted(environment, key=lambda name: (not name.endswith(_FILE), name)):
        if not variable.startswith(_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        place = _place(variable.removesuffix(_FILE) if _names_file(variable) else variable)
        if place[0] in Settings.model_fields:
            found[place] = variable
        elif (right := meant.get(_spelt(variable.removesuffix(_FILE)))) is not None:
            raise ConfigError(f"{variable}: there is no such setting; did you mean {right}?")
    return found


def _names_file(variable: str) -> bool:
    """Return whether `variable` names a file that holds a value, rather than set one of the settings that end in the same word."""
    return variable.endswith(_FILE) and _place(variable) not in set(_places())


def _place(variable: str) -> Place:
    section, *name = variable.removeprefix(_PREFIX).lower().split(_DELIMITER)
    # The names of rules have hyphens, which no shell allows in a variable.
    return (section, *(part.replace("_", "-") if section == "rules" else part for part in name))


def _variable(place: Place) -> str:
    return _PREFIX + _DELIMITER.join(place).upper()


def _spelt(variable: str) -> str:
    return variable.replace(_DELIMITER, "_")


def _places() -> Iterator[Place]:
    """Return where every setting is, and every section."""
    for name, field in Settings.model_fields.items():
        yield (name,)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from ((name, inner) for inner in field.annotation.model_fields)


def _value(variable: str, text: str) -> str:
    if not _names_file(variable):
        return text
    try:
        return Path(text).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{variable}: {text}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{variable}: {text}: not text in UTF-8") from error


def _with(values: Mapping[str, object], place: Place, value: str) -> Mapping[str, object]:
    """Return `values` with `value` at `place`."""
    name, *rest = place
    below = values.get(name)
    inner = below if isinstance(below, dict) else {}
    return {**values, name: _with(inner, tuple(rest), value) if rest else value}


def _in_words(one: ErrorDetails, variables: Mapping[Place, str], path: Path | None) -> str:
    """Return where a wrong setting was set, which it is, and what is wrong with it."""
    place = tuple(str(part) for part in one["loc"] if part != "[key]")
    origin = next((variables[place[:size]] for size in range(len(place), 0, -1) if place[:size] in variables), path or "settings")
    name = ".".join(place)
    match one["type"]:
        case "extra_forbidden":
            close = get_close_matches(name, map(".".join, _places()), 1)
            known = f"did you mean {close[0]}?" if close else "`joinbridge config show` lists those there are"
            return f"{origin}: {name}: there is no such setting; {known}"
        case "model_type" | "dict_type":
            return f"{origin}: {name}: is a section with settings of its own, such as {_example(name)}"
        case "time_delta_type" | "time_delta_parsing":
            return f"{origin}: {name}: not a duration: wants seconds, or ISO 8601 such as PT90M or P7D"
        case "value_error":
            return f"{origin}: {name}: {one['ctx']['error']}"
    return f"{origin}: {name}: {one['msg']}"


def _example(section: str) -> str:
    return next((".".join(place) for place in _places() if len(place) > 1 and place[0] == section), f"{section}.{RULES[0].name}")
