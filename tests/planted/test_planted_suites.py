"""What a run of a suite tells: that it passed, that it noticed something, or that it could not be run at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from planted.bug import Bug, Change
from planted.run import Nursery, table
from planted.suites import Suite, SuiteError, run

BUG = Bug(name="b", says="It is wrong.", file="f.py", changes=(Change("a = 1", "a = 2"),))
NOTICES = Suite(name="notices", command=("f.py",), limit_s=20)
BLIND = Suite(name="blind", command=("-c", "pass"), limit_s=20)


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Path, Path]:
    made = (tmp_path / "pristine", tmp_path / "copy")
    for folder in made:
        folder.mkdir()
        (folder / "f.py").write_text("a = 1\nraise SystemExit(a == 2)\n")
    return made


def suite(code: str, limit_s: int = 20) -> Suite:
    return Suite(name="s", command=("-c", code), limit_s=limit_s)


def test_a_suite_that_passes_has_noticed_nothing(tmp_path: Path) -> None:
    assert not run(suite("pass"), tmp_path).noticed


def test_a_suite_that_fails_has_noticed_something_and_says_which_test(tmp_path: Path) -> None:
    outcome = run(suite("print('FAILED tests/t.py::test_a[b - c] - it broke'); raise SystemExit(1)"), tmp_path)

    assert outcome.noticed
    assert outcome.by.startswith("tests/t.py::test_a[b")


def test_a_suite_that_does_not_end_has_noticed_something(tmp_path: Path) -> None:
    outcome = run(suite("while True: pass", limit_s=1), tmp_path)

    assert outcome.noticed
    assert "1 s of the processor's time" in outcome.by


def test_a_suite_that_breaks_has_noticed_nothing_and_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="ended with 3"):
        run(suite("raise SystemExit(3)"), tmp_path)


def test_the_first_suite_that_notices_a_bug_is_named(copies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    pristine, copy = copies

    finding = Nursery([BLIND, NOTICES], pristine, [copy]).try_out(BUG)

    assert (finding.suite, finding.problem) == ("notices", "")
    assert "notices" in capsys.readouterr().out
    assert "| It is wrong. | notices |" in table([finding])


SEEDS = Suite(
    name="simulation",
    command=("-c", "try:\n    import f\nexcept SystemExit as e:\n    print('FAILED 17 - 6: ...')\n    raise"),
    limit_s=20,
)


def test_how_many_seeds_it_took_is_told_whoever_notices_it_first(copies: tuple[Path, Path]) -> None:
    pristine, copy = copies

    finding = Nursery([NOTICES], pristine, [copy], SEEDS).try_out(BUG)

    assert (finding.suite, finding.simulated) == ("notices", "17")
    assert table([finding]).endswith("| 17 |")


def test_the_simulation_comes_last(copies: tuple[Path, Path]) -> None:
    pristine, copy = copies

    finding = Nursery([BLIND], pristine, [copy], SEEDS).try_out(BUG)

    assert (finding.suite, finding.by, finding.simulated) == ("simulation", "17", "17")


def test_a_bug_that_nobody_notices_is_told(copies: tuple[Path, Path]) -> None:
    pristine, copy = copies

    finding = Nursery([BLIND], pristine, [copy]).try_out(BUG)

    assert (finding.suite, finding.problem) == (None, "")
    assert "**nobody**" in table([finding])


def test_a_suite_that_fails_without_any_bug_notices_none(copies: tuple[Path, Path]) -> None:
    pristine, copy = copies

    finding = Nursery([suite("raise SystemExit(1)")], pristine, [copy]).try_out(BUG)

    assert finding.suite is None
    assert "fails without any bug" in finding.problem


def test_a_bug_that_does_not_fit_is_a_problem(copies: tuple[Path, Path]) -> None:
    pristine, copy = copies
    stray = Bug(name="b", says="It is wrong.", file="f.py", changes=(Change("nowhere", "2"),))

    assert "fits 0 places" in Nursery([NOTICES], pristine, [copy]).try_out(stray).problem
