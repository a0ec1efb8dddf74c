"""`joinbridge demo` as a person starts it: what the terminal says, and the page it leaves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.page import Page, parse


def joinbridge(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "joinbridge", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)  # our own program


def page_in(folder: Path) -> Page:
    return parse((folder / "kept" / "demo.html").read_bytes())


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder in which a small demo was lived through, and what the terminal said."""
    folder = tmp_path_factory.mktemp("demo")
    done = joinbridge("demo", "--homes", "10", "--out", "kept", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_terminal_says_what_it_comes_to_and_where_to_look_next(played: tuple[Path, str]) -> None:
    _, said = played

    words = " ".join(said.split())

    assert re.search(r"join answers? (was|were) lost in two weeks|No answer to any of \d+ joins was lost", words)
    assert re.search(r"false inferences +0\b", said)
    assert re.search(r"dead letters +\d", said)
    assert str(Path("kept", "demo.html")) in said
    assert f"joinbridge audit verify --database sqlite:///{Path('kept', 'demo.db')}\n" in said


def test_the_page_agrees_with_the_terminal(played: tuple[Path, str]) -> None:
    folder, said = played

    page = page_in(folder)

    assert page.one("//h1").text in " ".join(said.split())
    assert "10 simulated homes · two weeks from 2 March 2026 · scenario everyday · seed 1" in page.text
    assert page.all("//details//tbody/tr")


def test_every_verdict_in_the_table_of_lost_answers_rests_on_a_rule_that_the_page_explains(played: tuple[Path, str]) -> None:
    folder, _ = played
    page = page_in(folder)

    verdicts = page.all("//details[summary[starts-with(., 'Answer lost')]]//td[@class='verdict']")

    assert all(each.values("a/@href") for each in verdicts if each.text.startswith(("joined", "not carried out")))
    assert {link.removeprefix("#") for link in page.values("//td/a/@href")} <= set(page.values("//tr/@id"))


@pytest.mark.parametrize("command", ["joins", "dead-letters list", "audit verify"])
def test_the_commands_that_it_shows_work_as_they_stand(played: tuple[Path, str], command: str) -> None:
    folder, said = played
    [line] = re.findall(rf"joinbridge ({command} --database \S+)$", said, flags=re.MULTILINE)

    done = joinbridge(*line.split(), cwd=folder)

    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_same_seed_writes_the_same_page(played: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = played

    again = joinbridge("demo", "--homes", "10", "--out", "kept", cwd=tmp_path)

    assert again.returncode == 0, again.stderr
    assert (tmp_path / "kept" / "demo.html").read_bytes() == (folder / "kept" / "demo.html").read_bytes()
