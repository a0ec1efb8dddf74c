"""Settings: where they come from, which of two wins, what is said of a wrong one, and that every one of them matters."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from joinbridge.config import CONFIG_VARIABLE, LONGEST, Settings, load
from joinbridge.core.evidence import Mode
from joinbridge.core.policy import Policy
from joinbridge.core.rules import RULES
from joinbridge.core.vocabulary import DeviceType
from joinbridge.errors import ConfigError

RULE = "repeat-refused"

# What is never shown.
SECRETS = {"database": {"url"}, "amqp": {"url", "management_url"}, "mqtt": {"url"}, "inventory": {"url"}}

Toml = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is set around the tests out of them."""
    for name in [name for name in os.environ if name.startswith("JOINBRIDGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Toml:
    """Write a configuration file."""

    def write(text: str) -> Path:
        file = tmp_path / "joinbridge.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def refused(path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value)


class TestDefaults:
    def test_they_are_safe(self) -> None:
        settings = load()

        assert settings == Settings()
        assert settings.mode == "shadow"

    def test_they_are_the_policys_own(self) -> None:
        assert load().policy() == Policy()


class TestFile:
    def test_it_sets_what_it_names(self, toml: Toml) -> None:
        file = toml(f"""
            mode = "live"
            [database]
            url = "sqlite:///somewhere.db"
            [deadlines]
            gsme = "PT2H"
            esme = 90
            final = "P10D"
            [evidence]
            not_delivered_codes = ["N12", "N14"]
            keys_dir = "/etc/joinbridge/keys"
            [rules]
            {RULE} = "off"
        """)

        settings = load(file)

        assert settings.mode == "live"
        assert settings.database.url.get_secret_value() == "sqlite:///somewhere.db"
        assert settings.deadlines.gsme == timedelta(hours=2)
        assert settings.deadlines.esme == timedelta(seconds=90)
        assert settings.deadlines.final == timedelta(days=10)
        assert settings.deadlines.gpf == Settings().deadlines.gpf
        assert settings.evidence.not_delivered_codes == {"N12", "N14"}
        assert settings.evidence.keys_dir == Path("/etc/joinbridge/keys")
        assert settings.policy().rule_modes == {RULE: Mode.OFF}

    def test_a_variable_names_it(self, toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(CONFIG_VARIABLE, str(toml('mode = "live"')))

        assert load().mode == "live"

    def test_the_one_that_is_given_goes_before_the_one_the_variable_names(self, toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(CONFIG_VARIABLE, "/there/is/no/such.toml")

        assert load(toml('mode = "live"')).mode == "live"

    def test_one_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        missing = tmp_path / "missing.toml"

        assert refused(missing) == f"{missing}: cannot be read: No such file or directory"
        assert refused(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"

    def test_one_that_is_not_toml_is_named_with_the_place(self, toml: Toml) -> None:
        file = toml("[database\n")

        assert refused(file).startswith(f"{file}: not TOML: ")
        assert "line 1" in refused(file)

    def test_one_that_is_not_text_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "binary.toml"
        file.write_bytes(b"\xff\xfe\x00")

        assert refused(file).startswith(f"{file}: not TOML: ")


class TestEnvironment:
    @pytest.mark.parametrize(
        ("variable", "text", "expected"),
        [
            ("JOINBRIDGE_MODE", "live", {"mode": "live"}),
            ("JOINBRIDGE_PURSUIT__MAX_PROBES", "6", {"pursuit": {"max_probes": 6}}),
            ("JOINBRIDGE_BATCH__WAIT", "0.05", {"batch": {"wait": timedelta(milliseconds=50)}}),
            ("JOINBRIDGE_DEADLINES__GSME", "5400", {"deadlines": {"gsme": timedelta(minutes=90)}}),
            ("JOINBRIDGE_DEADLINES__GSME", "PT2H", {"deadlines": {"gsme": timedelta(hours=2)}}),
            ("JOINBRIDGE_EVIDENCE__NOT_DELIVERED_CODES", "N12, N14", {"evidence": {"not_delivered_codes": {"N12", "N14"}}}),
            ("JOINBRIDGE_EVIDENCE__NO_RESPONSE_CODES", "", {"evidence": {"no_response_codes": set()}}),
            ("JOINBRIDGE_EVIDENCE__KEYS_DIR", "/keys", {"evidence": {"keys_dir": Path("/keys")}}),
            ("JOINBRIDGE_RULES__REPEAT_REFUSED", "off", {"rules": {RULE: "off"}}),
            ("JOINBRIDGE_DATABASE__URL", "sqlite:///e.db", {"database": {"url": "sqlite:///e.db"}}),
        ],
    )
    def test_a_variable_sets_one_setting(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, expected: Mapping[str, object]
    ) -> None:
        monkeypatch.setenv(variable, text)

        assert load() == Settings.model_validate(expected)

    def test_it_goes_before_the_file_and_leaves_the_rest_of_it(self, toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
        file = toml("[pursuit]\nmax_probes = 1\nmax_retries = 1\n")
        monkeypatch.setenv("JOINBRIDGE_PURSUIT__MAX_PROBES", "6")

        settings = load(file)

        assert (settings.pursuit.max_probes, settings.pursuit.max_retries) == (6, 1)

    @pytest.mark.parametrize(
        "variable", ["JOINBRIDGE_PORT", "JOINBRIDGE_SERVICE_HOST", "JOINBRIDGE_PORT_8080_TCP_ADDR", "JOINBRIDGE__", "OTHER_MODE"]
    )
    def test_variables_of_others_are_left_alone(self, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
        monkeypatch.setenv(variable, "tcp://10.0.0.1:8080")

        assert load() == Settings()


class TestSecretFiles:
    URL = "postgresql+asyncpg://joinbridge:s3cr3t@db/joinbridge"

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        file = tmp_path / "url"
        file.write_text(self.URL + "\n", encoding="utf-8")
        return file

    def test_a_file_holds_the_value(self, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JOINBRIDGE_DATABASE__URL_FILE", str(secret))

        assert load().database.url.get_secret_value() == self.URL

    def test_it_goes_before_the_configuration_file(self, secret: Path, toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JOINBRIDGE_DATABASE__URL_FILE", str(secret))

        assert load(toml('[database]\nurl = "sqlite://"\n')).database.url.get_secret_value() == self.URL

    def test_the_variable_itself_goes_before_it(self, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JOINBRIDGE_DATABASE__URL_FILE", str(secret))
        monkeypatch.setenv("JOINBRIDGE_DATABASE__URL", "sqlite:///e.db")

        assert load().database.url.get_secret_value() == "sqlite:///e.db"

    def test_any_setting_may_come_from_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "mode").write_text("live", encoding="utf-8")
        monkeypatch.setenv("JOINBRIDGE_MODE_FILE", str(tmp_path / "mode"))

        assert load().mode == "live"

    def test_one_that_is_not_there_is_named_with_its_variable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        missing = tmp_path / "missing"
        monkeypatch.setenv("JOINBRIDGE_DATABASE__URL_FILE", str(missing))

        assert refused() == f"JOINBRIDGE_DATABASE__URL_FILE: {missing}: cannot be read: No such file or directory"

    def test_one_that_is_not_text_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "url"
        file.write_bytes(b"\xff\xfe")
        monkeypatch.setenv("JOINBRIDGE_DATABASE__URL_FILE", str(file))

        assert refused() == f"JOINBRIDGE_DATABASE__URL_FILE: {file}: not text in UTF-8"

    def test_a_secret_is_never_in_what_is_shown(self, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JOINBRIDGE_DATABASE__URL_FILE", str(secret))

        settings = load()

        assert "s3cr3t" not in repr(settings)
        assert "s3cr3t" not in settings.model_dump_json()


class TestComplaints:
    """Each names where the setting was set, which it is, and what to do."""

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ('mode = "on"', "mode: Input should be 'shadow' or 'live'"),
            ("[batch]\nlimit = 0", "batch.limit: Input should be greater than or equal to 1"),
            ("[batch]\nlimit = 'many'", "batch.limit: Input should be a valid integer, unable to parse string as an integer"),
            ("[deadlines]\ngsme = 0", "deadlines.gsme: must be longer than nothing and at most 3660 days"),
            ("[deadlines]\ngsme = -5", "deadlines.gsme: must be longer than nothing and at most 3660 days"),
            ('[deadlines]\ngsme = "P20Y"', "deadlines.gsme: must be longer than nothing and at most 3660 days"),
            ('[deadlines]\ngsme = "soon"', "deadlines.gsme: not a duration: wants seconds, or ISO 8601 such as PT90M or P7D"),
            ("[deadlines]\ngsme = [1]", "deadlines.gsme: not a duration: wants seconds, or ISO 8601 such as PT90M or P7D"),
            ("[deadlines]\ngsme = 1e300", "deadlines.gsme: not a duration: wants seconds, or ISO 8601 such as PT90M or P7D"),
            ("[deadlines]\ngsme = nan", "deadlines.gsme: not a duration: wants seconds, or ISO 8601 such as PT90M or P7D"),
            ('[pursuit]\nprobe_originator = "me"', "pursuit.probe_originator: not an EUI-64: 'me'"),
            ('[databse]\nurl = ""', "databse: there is no such setting; did you mean database?"),
            ('[database]\nuri = ""', "database.uri: there is no such setting; did you mean database.url?"),
            ("[frobnication]\nx = 1", "frobnication: there is no such setting; `joinbridge config show` lists those there are"),
            ('database = "sqlite://"', "database: is a section with settings of its own, such as database.url"),
            ('rules = "off"', f"rules: is a section with settings of its own, such as rules.{RULES[0].name}"),
            ('[rules]\nguess = "live"', "rules.guess: there is no such rule; `joinbridge rules` lists those there are"),
            (f'[rules]\n{RULE} = "on"', f"rules.{RULE}: Input should be 'off', 'shadow' or 'live'"),
        ],
        ids=lambda value: value.replace("\n", " ") if "=" in value else "",
    )
    def test_a_wrong_setting_in_the_file(self, toml: Toml, text: str, complaint: str) -> None:
        file = toml(text)

        assert refused(file) == f"{file}: {complaint}"

    def test_every_wrong_setting_is_named_at_once(self, toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
        file = toml('mode = "on"\n[batch]\nlimit = 0\nwait = 1\n')
        monkeypatch.setenv("JOINBRIDGE_PURSUIT__MAX_RETRIES", "99")

        assert refused(file).splitlines() == [
            f"{file}: mode: Input should be 'shadow' or 'live'",
            f"{file}: batch.limit: Input should be greater than or equal to 1",
            "JOINBRIDGE_PURSUIT__MAX_RETRIES: pursuit.max_retries: Input should be less than or equal to 10",
        ]

    @pytest.mark.parametrize(
        ("variable", "text", "complaint"),
        [
            ("JOINBRIDGE_MODE", "on", "mode: Input should be 'shadow' or 'live'"),
            ("JOINBRIDGE_BATCH__WAIT", "soon", "batch.wait: not a duration: wants seconds, or ISO 8601 such as PT90M or P7D"),
            ("JOINBRIDGE_RULES__GUESS", "live", "rules.guess: there is no such rule; `joinbridge rules` lists those there are"),
            ("JOINBRIDGE_RULES", "off", f"rules: is a section with settings of its own, such as rules.{RULES[0].name}"),
            ("JOINBRIDGE_DATABASE__URI", "x", "database.uri: there is no such setting; did you mean database.url?"),
            ("JOINBRIDGE_DATABASE_URL", "x", "there is no such setting; did you mean JOINBRIDGE_DATABASE__URL?"),
            ("JOINBRIDGE_DATABASE_URL_FILE", "x", "there is no such setting; did you mean JOINBRIDGE_DATABASE__URL?"),
            ("JOINBRIDGE_CONFIG_FILE", "x", "there is no such setting; did you mean JOINBRIDGE_CONFIG?"),
        ],
    )
    def test_a_wrong_setting_in_the_environment(
        self, toml: Toml, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, complaint: str
    ) -> None:
        monkeypatch.setenv(variable, text)

        assert refused(toml("")) == f"{variable}: {complaint}"

    def test_a_wrong_setting_from_nowhere(self) -> None:
        with pytest.raises(ValueError, match="longer than nothing"):
            Settings.model_validate({"batch": {"wait": 0}})


def test_a_setting_whose_own_name_ends_in_file_is_set_as_any_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.write_text("/of/the/secret.pem")
    monkeypatch.setenv("JOINBRIDGE_AMQP__CA_FILE", "/etc/ca.pem")
    monkeypatch.setenv("JOINBRIDGE_AMQP__KEY_FILE_FILE", str(held))

    amqp = load().amqp

    assert (amqp.ca_file, amqp.key_file) == (Path("/etc/ca.pem"), Path("/of/the/secret.pem"))


class TestPolicy:
    # What the engine decides by and nobody sets: it is made of others, or is the code's own.
    INTERNAL: frozenset[str] = frozenset()

    def test_every_field_of_the_policy_can_be_set(self) -> None:
        usual, reached = Policy(), set[str]()
        for changed in changed_settings():
            policy = changed.policy()
            reached |= {one.name for one in fields(Policy) if getattr(policy, one.name) != getattr(usual, one.name)}

        assert {one.name for one in fields(Policy)} - reached == self.INTERNAL

    @pytest.mark.parametrize(
        ("given", "needed"),
        [
            ({}, False),
            ({"mode": "live"}, True),
            ({"inventory": {"devices_table": "asset"}}, True),
            ({"mode": "live", "evidence": {"needs_type": False}}, False),
            ({"evidence": {"needs_type": True}}, True),
        ],
    )
    def test_an_entry_waits_for_its_type_where_something_is_done_about_it_or_types_can_be_had(
        self, given: dict[str, object], needed: bool
    ) -> None:
        assert Settings.model_validate(given).policy().needs_type is needed

    def test_each_device_type_has_a_wait_of_its_own(self) -> None:
        waits = {kind.name.lower(): 60 + number for number, kind in enumerate(DeviceType) if kind is not DeviceType.TYPE2}

        policy = Settings.model_validate({"deadlines": waits}).policy()

        assert policy.answer_wait == {
            kind: timedelta(seconds=60 + number) for number, kind in enumerate(DeviceType) if kind is not DeviceType.TYPE2
        }

    @pytest.mark.parametrize(
        ("section", "name", "field"),
        [
            ("deadlines", "unknown", "answer_wait_unknown"),
            ("deadlines", "local", "answer_wait_local"),
            ("deadlines", "final", "final_wait"),
            ("deadlines", "backlog_grace", "backlog_grace"),
            ("pursuit", "retry_wait", "retry_wait"),
            ("pursuit", "retry_wait_max", "retry_wait_max"),
            ("pursuit", "probe_wait", "probe_wait"),
            ("pursuit", "gpf_patience", "gpf_patience"),
            ("evidence", "clock_skew", "clock_skew"),
            ("evidence", "queue_skew", "queue_skew"),
            ("evidence", "max_transit", "max_transit"),
            ("evidence", "contradiction_window", "contradiction_window"),
        ],
    )
    def test_a_duration_goes_where_it_belongs(self, section: str, name: str, field: str) -> None:
        policy = Settings.model_validate({section: {name: 12345}}).policy()

        assert {one.name for one in fields(Policy) if getattr(policy, one.name) != getattr(Policy(), one.name)} == {field}
        assert getattr(policy, field) == timedelta(seconds=12345)


class TestShowing:
    def test_what_is_shown_as_json_can_be_loaded_again(self) -> None:
        for changed in changed_settings():
            shown: dict[str, Any] = json.loads(changed.model_dump_json())  # Any: JSON
            for section, names in SECRETS.items():
                for name in names:
                    del shown[section][name]

            assert Settings.model_validate(shown).model_dump(exclude=SECRETS) == changed.model_dump(exclude=SECRETS)

    def test_durations_are_seconds_whole_where_they_can_be(self) -> None:
        shown = Settings().model_dump(mode="json")

        assert (shown["batch"]["wait"], shown["deadlines"]["gsme"]) == (0.025, 5400)
        assert isinstance(shown["deadlines"]["gsme"], int)

    def test_every_setting_says_what_it_is_for(self) -> None:
        undescribed = [name for name, field in leaves(Settings) if not field]

        assert undescribed == []


def leaves(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """Return the name and description of every setting."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.description


SPECIAL: Mapping[str, dict[str, object]] = {
    "evidence.needs_type": {"needs_type": True},
    "amqp.topology": {"topology": "passive"},
    "log.format": {"format": "console"},
    "log.level": {"level": "debug"},
    "rehearsal.speed": {"speed": 2, "origin": "2026-03-02T00:00:00Z"},
    "rehearsal.origin": {"origin": "2026-03-02T00:00:00Z"},
}
"""Settings whose other values no rule makes."""


def changed_settings() -> Iterator[Settings]:
    """Return settings of which each differs from the defaults in one place, for every place there is."""
    usual = Settings()
    for name, _ in leaves(Settings):
        *sections, leaf = name.split(".")
        value: object = getattr(getattr(usual, sections[0]) if sections else usual, leaf)
        nested = SPECIAL.get(name, {leaf: another(value)})
        yield Settings.model_validate({sections[0]: nested} if sections else nested)


def another(value: object) -> object:
    """Return a value of the same kind that is not the default."""
    match value:
        case timedelta():
            return value + timedelta(seconds=1)
        case bool():
            return not value
        case int():
            return value + 1
        case frozenset():
            return [*value, "another"]
        case dict():
            return {RULE: "shadow"}
        case SecretStr():
            return "sqlite:///another.db"
        case "shadow":
            return "live"
        case None:
            return "/another/folder"
        case str() if "-" in value:
            return "00-11-22-33-44-55-66-77"
    return f"{value}.another"


def test_the_longest_duration_can_be_added_to_any_moment_of_the_bus() -> None:
    assert timedelta(days=365) < LONGEST < timedelta(days=365 * 1000)
