"""The page of the proofs: portions that were run on different days add up to what one run of all of them would have told."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from joinbridge.proving.campaign import figures_of
from joinbridge.proving.figures import Figures
from joinbridge.proving.scratch import own_scratch

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def prove(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return tool("prove", monkeypatch)


@pytest.fixture
def mutate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return tool("mutate", monkeypatch)


@pytest.fixture(scope="module")
def portions() -> list[Figures]:
    return [figures_of(range(first, first + 3), own_scratch()) for first in (70_000, 70_003)]


def test_portions_add_up_to_the_whole(prove: ModuleType, portions: list[Figures]) -> None:
    whole = Figures()
    for portion in portions:
        whole.add(portion)

    told = prove.together([portion.to_json() for portion in portions])

    expected = whole.to_json()
    assert told["seeds"] == 6
    assert told.pop("virtual_days") == pytest.approx(expected["virtual_days"], abs=0.2)  # each is rounded
    assert told.pop("fault_meets_transition_or_rule") == 0  # which met which is not told
    assert told == {name: expected[name] for name in told}


def test_the_page_names_seeds_and_commit_of_each_portion_and_shrinks_the_aims(
    prove: ModuleType, portions: list[Figures], tmp_path: Path
) -> None:
    facts = {"commit": "abc1234", "on": "30 November 2026", "share": 1.0, "took_s": 12, "processes": 2, "machine": "a machine"}
    (simulation,) = (part for part in prove.PARTS if part.name == "simulation")
    for file, first, portion in zip(simulation.files(tmp_path), (70_000, 70_003), portions, strict=False):
        file.write_text(json.dumps({"run": facts, "figures": {"from": first, **portion.to_json()}}), "utf-8")

    prove.write_page(tmp_path, tmp_path / "page.md")

    page = (tmp_path / "page.md").read_text("utf-8")
    assert "- seeds 70,003 to 70,005, commit abc1234, 30 November 2026: 12 s, 2 processes on a machine" in page
    assert "At 0.1 of the full length" in page
    assert "| seeds: at least 10,000 | 6 | **missed** |" in page
    assert page.count("\n## ") == 2
    assert "## Not run yet" in page
    assert "- crash-points: A crash before" in page


@pytest.mark.parametrize(("noticed", "survived", "not_tried", "reached"), [(96, 4, 3, True), (94, 6, 0, False), (0, 0, 9, False)])
def test_mutants_are_measured_in_percent_of_those_that_were_tried(
    prove: ModuleType, mutate: ModuleType, noticed: int, survived: int, not_tried: int, reached: bool
) -> None:
    count = Counter({"noticed": noticed, "survived": survived, "not tried": not_tried})

    (aim,) = prove.mutant_aims(mutate._facts({"core/order.py": count}, [], 1.0), 1.0)

    assert aim.reached is reached
    assert f"% of {noticed + survived}" in aim.measured


def test_what_is_always_run_whole_is_not_told_as_a_share(prove: ModuleType) -> None:
    for part in prove.PARTS:
        whole, tenth = (part.commands(prove.Scale(share, 2, Path("figures"))) for share in (1.0, 0.1))
        assert part.divisible is (part.portions > 1 or part.name == "stateful" or whole != tenth), part.name
