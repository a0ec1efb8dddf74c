"""Five thousand homes in a harsh world, and everything around the sidecar dies in turn.

NATION_HOMES in the environment is another number of them.
"""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from support.deployment import Deployment, Process
from support.living import Sidecar, live_through
from support.services import PostgreSql, RabbitMq, Server

pytestmark = pytest.mark.nation

HOMES = int(os.environ.get("NATION_HOMES", "5000"))
DAYS, KILLS = 2.0, 20


def test_nothing_is_lost_doubled_or_invented(made_for_many: Deployment, broker: RabbitMq, records: PostgreSql, smi: PostgreSql) -> None:
    if broker.server is None or records.server is None or smi.server is None:
        pytest.skip("servers that were given by environment are not killed")
    killed, stopped, away = broker.server, records.server, smi.server
    chance = random.Random(7)

    def disturb(sidecar: Sidecar, estate: Process) -> None:
        def breathe(longest_s: float = 8.0) -> None:
            time.sleep(chance.uniform(1.0, longest_s))
            assert estate.popen.poll() is None, f"the estate ended early:\n{estate.said()[-4000:]}"
            sidecar.keep_alive()

        breathe(60)
        for number in range(KILLS):
            sidecar.kill()
            breathe()
            match number:
                case 4:
                    made_for_many.host.close_connections()
                case 8:
                    _restart(killed, signal.SIGKILL)
                case 12:
                    _restart(stopped, signal.SIGQUIT)
                case 16:
                    _restart(away, signal.SIGQUIT, away_s=20)  # more than three hours of the estate's time

    score = live_through(made_for_many, disturb, homes=HOMES, days=DAYS)

    assert int(str(score["joins"])) >= HOMES


def _restart(server: Server, how: signal.Signals, *, away_s: float = 1.0) -> None:
    if how is signal.SIGKILL:
        server.kill()
    else:
        server.stop(how)
    time.sleep(away_s)
    server.start()
