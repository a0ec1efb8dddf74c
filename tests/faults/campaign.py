"""One long rehearsal among faults of all kinds, and the account at the end. Exits with 1 when it does not balance.

    PYTHONPATH=tests python -m faults.campaign [--minutes M] [--seed S] [--homes N] [--speed X] [--json]

Three sidecars share the queue on real servers. Two of them are killed again and again; the third lives through everything else, and what
it holds in memory is watched.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.chaos import OF_NETWORK, Chaos, Fault, Surroundings, plan
from joinbridge.simulator.ledger import read_ledger
from support.amqp_wire import AmqpWire, Orders
from support.deployment import Account, Deployment, Process, deployment, explained, run_sql, settle_account
from support.living import PATIENCE_S, Sidecar, at_rest, await_last_day
from support.memory import MemoryWatch
from support.proxy import Proxy
from support.services import Server, postgresql, rabbitmq

VICTIMS = 2
INSTALLING = 0.6
"""In this part of the time homes are installed: there is traffic all the while, and room for what happens to a home later."""
HOMES_A_MINUTE = 52
"""A home has some 88 messages: an hour of them comes to a quarter of a million and a little more."""
SAMPLE_S = 5.0
EXPLAINED = 5  # Joins that were missed, at the most
LEFT = Path("out") / "campaign"
DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How long, on how large an estate, and how fast it lives."""

    minutes: float
    seed: int
    homes: int
    speed: float

    @property
    def days(self) -> float:
        """How long the estate lives: as long as faults happen, and a little longer for what is late."""
        return max(1.0, 1.1 * self.minutes * 60 * self.speed / DAY_S)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="campaign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="for so long faults happen; it comes to rest afterwards")
    parser.add_argument("--seed", type=int, default=1, help="of the estate, and of what happens when")
    parser.add_argument("--homes", type=int, help=f"{HOMES_A_MINUTE} for each minute if not given")
    parser.add_argument("--speed", type=float, default=800.0, help="so many seconds of the estate pass in each")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    homes = options.homes if options.homes is not None else math.ceil(HOMES_A_MINUTE * options.minutes)
    scale = Scale(minutes=options.minutes, seed=options.seed, homes=homes, speed=options.speed)
    began = time.monotonic()
    told = {**run(scale), "took_s": round(time.monotonic() - began)}
    if options.json:
        print(json.dumps(told, indent=1))
    else:
        for name, value in told.items():
            print(f"{name.replace('_', ' '):>22}  {value}")
    return 0 if told["balances"] else 1


def run(scale: Scale) -> dict[str, object]:
    """Let an estate live among faults, and return the account. Where it does not balance, what led to it is left in `LEFT`."""
    chance, memory = random.Random(scale.seed), MemoryWatch()
    with surroundings(scale.speed) as around:
        made = around.made
        witness = Sidecar(made, 0)
        around.victims.extend(Sidecar(made, number) for number in range(1, 1 + VICTIMS))
        everybody = [witness, *around.victims]
        last_look = 0.0

        def look_after() -> None:
            nonlocal last_look
            for one in everybody:
                one.keep_alive()
            if time.monotonic() - last_look >= SAMPLE_S:
                last_look = time.monotonic()
                memory.look(witness.process)

        installing = str(max(1.0, INSTALLING * scale.days))
        estate = made.estate("--installing", installing, homes=scale.homes, days=scale.days, seed=scale.seed)
        chaos = Chaos(around, chance)
        chaos.spread(plan(chance, scale.minutes), scale.minutes * 60, estate, after_each=look_after)
        await_last_day(made, estate)
        look_after()
        restless = _rest(made, witness)
        memory.look(witness.process)
        # First who speaks, then who listens: a deadline may be due at any moment, and what comes of it is to be heard.
        ended = [one.process.stop() for one in everybody]
        restless = restless or _rest(made, witness)
        score = _score(made, estate)
        told = figures(made, chaos, memory, score, restless=restless, ended=ended)
        if not told["balances"]:
            shutil.copytree(made.folder, LEFT, dirs_exist_ok=True)
            print(f"the ledger, and what everybody said, are in {LEFT}", file=sys.stderr)
        return told


def figures(
    made: Deployment, chaos: Chaos, memory: MemoryWatch, score: Mapping[str, object], *, restless: str, ended: Sequence[int]
) -> dict[str, object]:
    """Return what happened, and how the ledger compares with what joinbridge has."""
    account, happened = settle_account(made), chaos.happened
    unexpected = never_published(made)
    wrong = {name: score[name] for name in ("false_inferences", "missed_inferences")}
    return {
        "balances": account.is_clean and not (unexpected or restless or any(wrong.values()) or any(ended)),
        "messages": score["messages"],
        "heard": score["heard"],
        "joins": score["joins"],
        "answers_lost": score["answers_lost"],
        "adapter_kills": happened[Fault.ADAPTER_KILLED],
        "broker_kills": happened[Fault.BROKER_KILLED],
        "database_stops": happened[Fault.DATABASE_STOPPED],
        "network_faults": sum(happened[fault] for fault in OF_NETWORK),
        "faults": {str(fault): times for fault, times in sorted(happened.items())},
        "mischief": {each.name.lower(): times for each, times in sorted(chaos.mischief.items(), key=lambda one: one[0].name)},
        **_plain(account),
        "unexpected": len(unexpected),
        **wrong,
        "missed": [explained(made, request_id) for request_id in _listed(score["missed"])[:EXPLAINED]],
        "restless": restless,
        "exit_codes": list(ended),
        "memory": memory.to_json(),
    }


def _listed(value: object) -> Sequence[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def never_published(made: Deployment) -> set[str]:
    """Return the messages that joinbridge took although the estate never published them."""
    published = {str(line["message"]) for line in read_ledger(made.ledger) if "published" in line}
    # One that could not be read is in the inbox too, under its key and a word more.
    return {row["key"].partition("#")[0] for row in run_sql(made.database_url, "SELECT key FROM inbox")} - published


def _plain(account: Account) -> dict[str, object]:
    return {
        "lost": len(account.lost) + len(account.lost_corrupted),
        "duplicate_effects": len(account.twice),
        "waiting": dict(account.waiting),
        "chain_breaks": account.chain_breaks,
    }


def _rest(made: Deployment, witness: Sidecar) -> str:
    """Wait until nothing is under way; return what was, if that never ends."""
    try:
        at_rest(made, witness)
    except AssertionError as error:
        return str(error)[:2_000]
    return ""


def _score(made: Deployment, estate: Process) -> Mapping[str, object]:
    estate.popen.send_signal(signal.SIGTERM)
    return made.score(estate, PATIENCE_S)


@contextmanager
def surroundings(speed: float) -> Iterator[Surroundings]:
    """Start the servers, and put a proxy before each that the sidecars use all the time."""
    orders = Orders()
    with ExitStack() as stack:
        broker = stack.enter_context(rabbitmq("collect_statistics_interval = 1000\n"))
        records, smi = (stack.enter_context(postgresql("fsync=off")) for _ in range(2))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="joinbridge-campaign-")))
        host = stack.enter_context(broker.virtual_host())
        made = stack.enter_context(deployment(folder, host, records, smi, speed=speed))
        to_broker = stack.enter_context(Proxy(host.url, lambda: AmqpWire(orders)))
        to_database = stack.enter_context(Proxy(made.database_url))
        made.for_sidecars |= {
            "JOINBRIDGE_AMQP__URL": to_broker.url,
            "JOINBRIDGE_AMQP__PUBLISH_TIMEOUT": "2",
            "JOINBRIDGE_DATABASE__URL": to_database.url,
        }
        yield Surroundings(made, [], _ours(broker.server), _ours(records.server), _ours(smi.server), to_broker, to_database, orders)


def _ours(server: Server | None) -> Server:
    assert server is not None, "servers that were given by environment are not killed"
    return server


if __name__ == "__main__":
    sys.exit(main())
