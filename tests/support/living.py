"""An estate that lives on a deployed sidecar while things happen to both, and the account that is settled in the end."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Mapping

from support.deployment import Deployment, Process, eventually, explained, settle_account, under_way

HOMES, DAYS = 40, 2.0
PATIENCE_S = 1_200.0
REST_S = 900.0  # five thousand homes leave an overloaded machine much to catch up with
QUIET_LOOKS = 5  # a second apart; the broker counts once a second


class Sidecar:
    """The sidecar of a deployment, whichever process it is by now."""

    def __init__(self, made: Deployment, number: int = 0) -> None:
        self._made = made
        self._number = number
        self.process = made.sidecar(number)

    def kill(self) -> None:
        """Kill it and start it again."""
        self.process.kill()
        self.process = self._made.sidecar(self._number)

    def keep_alive(self) -> None:
        """Start it again if it has ended, as whoever supervises it would."""
        if self.process.popen.poll() is not None:
            self.process = self._made.sidecar(self._number)


def live_through(
    made: Deployment, disturb: Callable[[Sidecar, Process], None], *options: str, homes: int = HOMES, days: float = DAYS
) -> Mapping[str, object]:
    """Let an estate live on `made` while `disturb` does what it does, settle the account, and return the score."""
    sidecar = Sidecar(made)
    estate = made.estate(*options, homes=homes, days=days)
    eventually(made.ledger.exists, "a ledger")
    disturb(sidecar, estate)
    await_last_day(made, estate)
    sidecar.keep_alive()
    at_rest(made, sidecar)
    # First who speaks, then who listens: a deadline may be due at any moment, and what comes of it is to be heard.
    assert sidecar.process.stop() == 0, sidecar.process.said()[-4000:]
    at_rest(made, sidecar)
    estate.popen.send_signal(signal.SIGTERM)
    score = made.score(estate, PATIENCE_S)
    judge(made, score)
    return score


def await_last_day(made: Deployment, estate: Process) -> None:
    """Wait until the estate has published all that it will."""
    deadline = time.monotonic() + PATIENCE_S
    eventually(made.ledger.exists, "a ledger")
    with made.ledger.open("rb") as ledger:
        while not any(line.startswith(b'{"lived":') for line in ledger):
            assert estate.popen.poll() is None, estate.said()[-4000:]
            assert time.monotonic() < deadline, "the estate's days never end"
            time.sleep(0.2)


def at_rest(made: Deployment, sidecar: Sidecar) -> None:
    """Wait until nothing has been under way for a while; what the killed ones had leased is owed again after a minute."""
    deadline, quiet = time.monotonic() + REST_S, 0
    while quiet < QUIET_LOOKS:
        pending = under_way(made)
        quiet = 0 if pending else quiet + 1
        assert time.monotonic() < deadline, f"{pending}\n{sidecar.process.said()[-4000:]}"
        time.sleep(1)


def judge(made: Deployment, score: Mapping[str, object]) -> None:
    """Make sure that all was well in the end."""
    account = settle_account(made)
    assert account.is_clean, account
    assert score["answers_lost"], "a rehearsal in which nothing was lost shows nothing"
    missed = score["missed"]
    assert isinstance(missed, list)
    assert not missed, json.dumps([explained(made, str(each)) for each in missed], indent=1)
    assert score["false_inferences"] == 0


def at_moments(estate: Process, times: int, within_s: float, seed: int, act: Callable[[], None]) -> None:
    """Do `act` so many times at random moments while the estate lives."""
    chance, began = random.Random(seed), time.monotonic()
    for moment in sorted(chance.uniform(0.5, within_s) for _ in range(times)):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        assert estate.popen.poll() is None, f"the estate ended early:\n{estate.said()}"
        act()
