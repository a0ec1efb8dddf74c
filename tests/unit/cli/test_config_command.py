"""`config check`, `config show` and `rules`: what is set, whether it can be, and what counts as proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from joinbridge.core.rules import RECORDED_ONLY, RULES
from support.cli import Cli

SECRET = "postgresql+asyncpg://joinbridge:s3cr3t@db/joinbridge"


def configured(text: str) -> tuple[str, str]:
    Path("joinbridge.toml").write_text(text, encoding="utf-8")
    return "--config", "joinbridge.toml"


class TestCheck:
    def test_the_defaults_are_fine(self, cli: Cli) -> None:
        as_json, for_people = cli("config", "check", "--json"), cli("config", "check")

        assert (as_json.code, for_people.code) == (0, 0)
        assert as_json.json == {"ok": True, "problems": []}
        assert for_people.out == "configuration is fine; mode = shadow\n"

    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            ('mode = "on"\n[batch]\nlimit = 0\n', ["mode: Input should be 'shadow' or 'live'", "batch.limit: Input should be greater"]),
            ("[databse]\n", ["databse: there is no such setting; did you mean database?"]),
            ("mode", ["not TOML: "]),
        ],
    )
    def test_each_mistake_is_a_problem(self, cli: Cli, text: str, problems: list[str]) -> None:
        options = configured(text)

        as_json, for_people = cli("config", "check", "--json", *options), cli("config", "check", *options)

        assert (as_json.code, for_people.code) == (1, 1)
        assert as_json.json["ok"] is False
        assert len(as_json.json["problems"]) == len(problems)
        for found, expected in zip(as_json.json["problems"], problems, strict=True):
            assert found.startswith(f"joinbridge.toml: {expected}")
            assert f"error: {found}" in for_people.complaint
        assert as_json.stderr == b""
        assert for_people.stdout == b""

    def test_a_file_that_is_not_there_is_one(self, cli: Cli) -> None:
        outcome = cli("config", "check", "--json", "--config", "missing.toml")

        assert outcome.code == 1
        assert outcome.json["problems"] == ["missing.toml: cannot be read: No such file or directory"]

    def test_a_folder_of_keys_that_is_not_there_is_one(self, cli: Cli) -> None:
        outcome = cli("config", "check", *configured('[evidence]\nkeys_dir = "keys[1]"\n'))

        assert outcome.code == 1
        assert outcome.complaint == (
            "error: evidence.keys_dir: keys[1] is not a folder; make it, or leave the setting out to verify no signatures"
        )

    def test_a_key_that_cannot_be_read_is_one(self, cli: Cli) -> None:
        Path("keys").mkdir()
        Path("keys/00-11-22-33-44-55-77-01-ds.pem").write_text("no key")

        outcome = cli("config", "check", *configured('[evidence]\nkeys_dir = "keys"\n'))

        assert outcome.code == 1
        assert "keys/00-11-22-33-44-55-77-01-ds.pem: neither a PEM certificate nor a PEM public key" in outcome.complaint

    def test_a_final_deadline_before_the_first_probe_can_be_answered_is_one(self, cli: Cli) -> None:
        outcome = cli("config", "check", *configured("[deadlines]\nfinal = 60\n"))

        assert outcome.code == 1
        assert outcome.complaint == (
            "error: deadlines.final: not longer than pursuit.probe_wait, so that no probe could be answered; make it longer"
        )

    def test_the_mode_is_told(self, cli: Cli) -> None:
        assert cli("config", "check", *configured('mode = "live"\n')).out == "configuration is fine; mode = live\n"


class TestShow:
    def test_every_setting_with_value_default_and_meaning(self, cli: Cli) -> None:
        outcome = cli("config", "show", *configured("[pursuit]\nmax_probes = 7\n"))

        assert outcome.code == 0
        (line,) = [line for line in outcome.out.splitlines() if "pursuit.max_probes" in line]
        assert line.split() == ["pursuit.max_probes", "7", "4", "reads", "of", "the", "target's", "Device", "Log"]
        for name in ("mode", "database.url", "bus.alerts", "batch.wait", "deadlines.gsme", "evidence.keys_dir", "money.correction_gbp"):
            assert name in outcome.out

    def test_as_json_it_is_a_configuration(self, cli: Cli) -> None:
        shown = cli("config", "show", "--json", *configured('[rules]\nrepeat-refused = "off"\n')).json

        assert (shown["mode"], shown["batch"]["wait"], shown["deadlines"]["final"]) == ("shadow", 0.025, 604800)
        assert shown["rules"] == {"repeat-refused": "off"}

    @pytest.mark.parametrize("as_json", [(), ("--json",)])
    def test_secrets_are_masked(self, cli: Cli, monkeypatch: pytest.MonkeyPatch, as_json: tuple[str, ...]) -> None:
        Path("url").write_text(SECRET)
        monkeypatch.setenv("JOINBRIDGE_DATABASE__URL_FILE", "url")

        outcome = cli("config", "show", *as_json)

        assert outcome.code == 0
        assert "s3cr3t" not in outcome.out
        assert "**********" in outcome.out

    def test_a_wrong_configuration_is_not_shown(self, cli: Cli) -> None:
        outcome = cli("config", "show", "--json", *configured("[databse]\n"))

        assert outcome.code == 1
        assert outcome.stdout == b""
        assert outcome.complaint == "error: joinbridge.toml: databse: there is no such setting; did you mean database?"


class TestRules:
    def test_every_rule_with_its_row_grade_and_mode(self, cli: Cli) -> None:
        listed = cli("rules", "--json").json

        assert [one["name"] for one in listed["rules"]] == [rule.name for rule in RULES]
        assert all(one.keys() == {"row", "name", "version", "mode", "grade", "polarity", "summary"} for one in listed["rules"])
        assert {one["row"] for one in listed["recorded_only"]} == set(RECORDED_ONLY)
        rows = {one["row"] for one in (*listed["rules"], *listed["recorded_only"])} - {None}
        assert rows == set(range(1, 40)), "every row of the table is a rule or recorded only"

    def test_the_mode_is_the_configured_one(self, cli: Cli) -> None:
        listed = cli("rules", "--json", *configured('[rules]\nrepeat-refused = "shadow"\n')).json

        modes = {one["name"]: one["mode"] for one in listed["rules"]}
        assert modes["repeat-refused"] == "shadow"
        assert modes["join-answered-success"] == "live"

    def test_for_people_they_are_two_tables(self, cli: Cli) -> None:
        outcome = cli("rules")

        assert outcome.code == 0
        assert "Rules of evidence" in outcome.out
        assert "Rows that are recorded only" in outcome.out
        assert "repeat-refused" in outcome.out
