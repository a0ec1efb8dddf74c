"""The faults of a campaign: what can happen to a deployment of several sidecars, how often in an hour, and what each of them does."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from support.amqp_wire import Mischief, Orders
from support.deployment import Deployment, Process
from support.living import Sidecar
from support.proxy import Proxy, Weather
from support.services import Server


class Fault(StrEnum):
    """What can happen."""

    ADAPTER_KILLED = "adapter killed"
    BROKER_KILLED = "broker killed"
    DATABASE_STOPPED = "database stopped at once"
    INVENTORY_AWAY = "inventory away"
    BROKER_CLOSES = "connections closed by the broker"
    RESET_BROKER = "way to the broker reset"
    RESET_DATABASE = "way to the database reset"
    DEAF_TO_BROKER = "broker hears nothing"
    DEAF_FROM_BROKER = "nothing heard from the broker"
    DEAF_FROM_DATABASE = "nothing heard from the database"
    SLOW = "ways slow and cut up"
    MISCHIEF = "frames of AMQP dropped, doubled, or cut apart"


AN_HOUR: Mapping[Fault, int] = {
    Fault.ADAPTER_KILLED: 320,
    Fault.BROKER_KILLED: 22,
    Fault.DATABASE_STOPPED: 22,
    Fault.INVENTORY_AWAY: 10,
    Fault.BROKER_CLOSES: 20,
    Fault.RESET_BROKER: 40,
    Fault.RESET_DATABASE: 40,
    Fault.DEAF_TO_BROKER: 20,
    Fault.DEAF_FROM_BROKER: 20,
    Fault.DEAF_FROM_DATABASE: 20,
    Fault.SLOW: 20,
    Fault.MISCHIEF: 49,
}
"""How often each of them happens in an hour. A broker needs ten seconds to come back, an adapter three, on a machine that is busy."""

OF_NETWORK = frozenset(Fault) - {Fault.ADAPTER_KILLED, Fault.BROKER_KILLED, Fault.DATABASE_STOPPED, Fault.INVENTORY_AWAY}


def plan(chance: random.Random, minutes: float) -> list[Fault]:
    """Return what is to happen in so many minutes, in order; each fault that an hour has at least once."""
    faults = [fault for fault, times in AN_HOUR.items() for _ in range(max(1, round(times * minutes / 60)))]
    chance.shuffle(faults)
    return faults


@dataclass(frozen=True)
class Surroundings:
    """What a campaign lays hands on. `victims` are killed; the other sidecar lives through the rest."""

    made: Deployment
    victims: list[Sidecar]
    broker: Server
    records: Server
    smi: Server
    to_broker: Proxy
    to_database: Proxy
    orders: Orders


class Chaos:
    """Makes faults happen. `happened` counts them."""

    def __init__(self, around: Surroundings, chance: random.Random) -> None:
        self._around = around
        self._chance = chance
        self._mischief = list(Mischief)
        self.happened: Counter[Fault] = Counter()
        self._deeds: Mapping[Fault, Callable[[], object]] = {
            Fault.ADAPTER_KILLED: self._kill,
            Fault.BROKER_KILLED: self._kill_broker,
            Fault.DATABASE_STOPPED: lambda: self._stop(around.records, 1.0),
            Fault.INVENTORY_AWAY: lambda: self._stop(around.smi, 3.0),
            Fault.BROKER_CLOSES: around.made.host.close_connections,
            Fault.RESET_BROKER: around.to_broker.reset,
            Fault.RESET_DATABASE: around.to_database.reset,
            Fault.DEAF_TO_BROKER: lambda: self._weather(Weather(stalled_to_server=True), around.to_broker),
            Fault.DEAF_FROM_BROKER: lambda: self._weather(Weather(stalled_to_client=True), around.to_broker),
            Fault.DEAF_FROM_DATABASE: lambda: self._weather(Weather(stalled_to_client=True), around.to_database),
            Fault.SLOW: lambda: self._weather(Weather(latency_s=0.002, slice_at_most=1_000), around.to_broker, around.to_database),
            Fault.MISCHIEF: self._meddle,
        }

    @property
    def mischief(self) -> Mapping[Mischief, int]:
        """How often each kind of mischief was done."""
        return self._around.orders.done

    def spread(self, faults: list[Fault], seconds: float, estate: Process, *, after_each: Callable[[], None]) -> None:
        """Let them happen one after the other, spread over so many seconds of the estate's life; late ones follow at once."""
        began = time.monotonic()
        for number, fault in enumerate(faults):
            moment = seconds * (number + self._chance.random()) / len(faults)
            time.sleep(max(0.0, began + moment - time.monotonic()))
            assert estate.popen.poll() is None, f"the estate ended early:\n{estate.said()[-4000:]}"
            print(f"{time.monotonic() - began:7.1f} s  {fault}", file=sys.stderr, flush=True)
            self._deeds[fault]()
            self.happened[fault] += 1
            after_each()

    def _kill(self) -> None:
        self._chance.choice(self._around.victims).kill()

    def _kill_broker(self) -> None:
        self._around.broker.kill()
        self._around.broker.start()

    def _stop(self, server: Server, away_s: float) -> None:
        server.stop(signal.SIGQUIT)  # the immediate shutdown: recovery at the next start
        time.sleep(away_s)
        server.start()

    def _weather(self, weather: Weather, *ways: Proxy) -> None:
        for way in ways:
            way.weather = weather
        time.sleep(self._chance.uniform(0.2, 1.5))
        for way in ways:
            way.reset()
            way.weather = Weather()

    def _meddle(self) -> None:
        """Do each kind of mischief in its turn, for two seconds; what was not passed on then comes again."""
        mischief = self._mischief.pop(0)
        self._mischief.append(mischief)
        self._around.orders.every = {mischief: self._chance.randint(1, 5)}
        time.sleep(2)
        self._around.orders.every = {}
        self._around.to_broker.reset()
