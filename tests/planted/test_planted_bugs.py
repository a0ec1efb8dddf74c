"""Every planted bug still fits the source it was made for; whether a suite notices it is for `planted.run` to say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from planted.bug import ROOT, Bug, Change, StrayError, all_bugs

BUGS = all_bugs()


def test_there_are_at_least_thirty() -> None:
    assert len(BUGS) >= 30


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_fits_one_place_and_leaves_python(bug: Bug) -> None:
    text = (ROOT / bug.file).read_text("utf-8")

    planted = bug.applied(text)

    assert planted != text
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(text)), "it changes nothing that is run"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_says_what_is_wrong_in_one_sentence(bug: Bug) -> None:
    assert bug.says[0].isupper()
    assert bug.says.endswith(".")


def test_no_two_are_the_same() -> None:
    assert len({(bug.file, bug.changes) for bug in BUGS}) == len(BUGS)


def bug(*changes: tuple[str, str]) -> Bug:
    return Bug(name="b", says="It is wrong.", file="f.py", changes=tuple(Change(*one) for one in changes))


@pytest.mark.parametrize("text", ["b = 1\n", "a = 1\na = 1\n"])
def test_one_that_fits_no_place_or_two_is_stray(text: str) -> None:
    with pytest.raises(StrayError):
        bug(("a = 1", "a = 2")).applied(text)


def test_it_is_gone_when_it_was_tried(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("a = 1\n")

    with bug(("a = 1", "a = 2")).planted(tmp_path):
        assert (tmp_path / "f.py").read_text() == "a = 2\n"

    assert (tmp_path / "f.py").read_text() == "a = 1\n"
