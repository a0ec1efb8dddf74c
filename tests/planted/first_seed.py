"""Simulate one seed after the other until something is broken, and say how many it took; exits with 1 then.

PYTHONPATH=tests python -m planted.first_seed SEEDS
"""

from __future__ import annotations

import os
import signal
import sys

from joinbridge.proving.plan import draw_plan
from joinbridge.proving.scratch import scratch
from joinbridge.proving.simulation import simulate

LIMIT_S = 20.0
"""Of the processor's time: a hundred times as long as a seed takes. A bug that keeps the sidecar busy for ever is found by it."""


def main() -> int:
    seed = 0

    def stuck(*_: object) -> None:
        # Out of the process at once: what is in the middle of it may go on after any exception.
        print(f"FAILED {seed + 1} - takes more than {LIMIT_S:.0f} s", flush=True)
        os._exit(1)

    signal.signal(signal.SIGPROF, stuck)
    with scratch() as database:
        for seed in range(int(sys.argv[1])):
            signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
            if broken := simulate(draw_plan(seed), database).violations:
                print(f"FAILED {seed + 1} - {broken[0]}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
