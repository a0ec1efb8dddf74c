"""`joinbridge sim`: what it prints, and its exit code."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from joinbridge.cli.sim import _for_people
from joinbridge.proving import simulation
from joinbridge.proving.history import History
from support.cli import Cli

SEED = 19  # one of the shortest


def test_figures_are_one_line_of_json(cli: Cli) -> None:
    ended = cli("sim", "--seeds", "1", "--from", str(SEED), "--json")

    assert ended.code == 0
    told = ended.json
    assert told["seeds"] == 1
    assert told["messages"] > 0
    assert told["violations"] == []
    assert {"commit", "took_s", "seeds_per_s", "traces", "false_rate_below_95", "recall", "faults", "never_happened"} <= told.keys()


def test_one_seed_tells_everything_that_happens_in_it(cli: Cli) -> None:
    ended = cli("sim", "--seed", str(SEED), "--trace")

    assert ended.code == 0
    assert ended.out.startswith("2026-03-02T00:00:00+00:00   sidecar started\n")
    assert f"seed {SEED}: " in ended.out


def test_a_seed_that_breaks_something_is_shrunk_and_says_how_to_see_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: History) -> Sequence[str]:
        return ["12: something"]

    monkeypatch.setattr(simulation, "violations", broken)

    ended = cli("sim", "--seeds", "1", "--from", str(SEED), "--json")

    assert ended.code == 1
    assert f"seed {SEED} breaks 12: something with nothing around the sidecar" in ended.complaint
    assert f"joinbridge sim --seed {SEED} --trace" in ended.complaint
    assert [one["violations"] for one in ended.json["violations"]] == [["12: something"]]


def test_several_sidecars_may_share_the_work(cli: Cli) -> None:
    ended = cli("sim", "--seed", str(SEED), "--sidecars", "2", "--trace")

    assert ended.code == 0
    assert " sidecar 2 started\n" in ended.out


@pytest.mark.parametrize("other", [("--crash-points",), ("--database", "postgresql+asyncpg://nowhere/x")])
def test_several_sidecars_go_with_seeds_alone(cli: Cli, other: tuple[str, ...]) -> None:
    ended = cli("sim", "--sidecars", "2", *other)

    assert ended.code == 2
    assert "it goes with seeds in memory" in " ".join(ended.complaint.split())


def test_how_to_see_what_several_break_names_their_number(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "violations", lambda _: ["12: something"])

    ended = cli("sim", "--seeds", "1", "--from", str(SEED), "--sidecars", "2")

    assert ended.code == 1
    assert f"joinbridge sim --seed {SEED} --trace --sidecars 2" in ended.complaint
    assert "1, which --json lists" in ended.out


def test_one_seed_that_breaks_something_ends_with_1(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "violations", lambda _: ["3: something"])

    ended = cli("sim", "--seed", str(SEED))

    assert ended.code == 1
    assert "3: something" in ended.complaint


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "yes"),
        (1234, "1,234"),
        (0.016483, "0.01648"),
        ([], "nothing"),
        ({"kill": 1234}, "kill 1,234"),
        (dict.fromkeys(range(31), 1), "31 kinds of things, which --json lists"),
        (None, "None"),
    ],
)
def test_figures_are_told_as_people_read_them(value: object, said: str) -> None:
    assert _for_people(value) == said
