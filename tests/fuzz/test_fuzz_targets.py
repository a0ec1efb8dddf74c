"""Every target takes its corpus, and some thousand mutations of it; the long version, led by coverage, is `fuzz.run`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from fuzz.corpus import inputs
from fuzz.mutation import HungError, Mutator, tried, watched
from fuzz.run import WEIGHTS, jobs
from fuzz.targets import TARGETS
from joinbridge.errors import DecodeError

MUTATIONS = 3_000
SLOW_TARGETS = {"history": 200, "configuration": 500}


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    with watched():
        yield


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_gives_a_value_or_the_documented_error_for_its_corpus(name: str) -> None:
    found = {known: error for known, octets in inputs(name).items() if (error := tried(TARGETS[name], octets)) is not None}

    assert found == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_gives_a_value_or_the_documented_error_for_mutations_of_its_corpus(name: str) -> None:
    mutations = itertools.islice(Mutator(inputs(name), seed=1), SLOW_TARGETS.get(name, MUTATIONS))

    found = [(error, octets) for octets in mutations if (error := tried(TARGETS[name], octets)) is not None]

    assert found == []


def test_whatever_else_a_target_raises_is_a_finding() -> None:
    def broken(octets: bytes) -> None:
        raise KeyError(octets)

    assert isinstance(tried(broken, b"x"), KeyError)


def test_a_documented_error_that_gets_out_of_a_target_is_a_finding_too() -> None:
    def leaking(_: bytes) -> None:
        raise DecodeError("it was to be caught")

    assert isinstance(tried(leaking, b"x"), DecodeError)


def test_a_target_that_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.mutation.LIMIT_S", 0.05)

    def hanging(_: bytes) -> None:
        while time.monotonic() > 0:
            pass

    assert isinstance(tried(hanging, b"x"), HungError)


def test_the_same_seed_gives_the_same_inputs() -> None:
    first, again, other = (list(itertools.islice(Mutator({"a": b"abc", "b": b"defg"}, seed), 50)) for seed in (1, 1, 2))

    assert first == again != other


def test_a_seed_is_used_once_and_all_executions_are_shared_out() -> None:
    shared = list(jobs(["duis", "history"], 1_000_000, 7, "mutation"))

    assert sum(job.executions for job in shared) >= 1_000_000
    assert {job.seed for job in shared} == {*range(7, 7 + len(shared))}


def test_every_target_gets_its_share() -> None:
    assert set(WEIGHTS) == set(TARGETS)
