"""The command line: `joinbridge --help`.

Exit codes: 0 fine, 1 found something wrong, 2 usage, 3 a service could not be reached. Every listing has `--json`.
"""

from __future__ import annotations

import io
import logging
import sys

from joinbridge.cli.app import app
from joinbridge.cli.output import FOUND_WRONG, UNREACHABLE, complain
from joinbridge.errors import InventoryError, JoinbridgeError, StoreError, TransportError


def main() -> None:
    """Run the command line; errors that joinbridge raises on purpose become one line and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows few characters shows fewer
    # What they say at length about every lost connection, joinbridge says itself, once.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        app()
    except (StoreError, TransportError, InventoryError) as error:
        complain(str(error))
        sys.exit(UNREACHABLE)
    except JoinbridgeError as error:
        complain(str(error))
        sys.exit(FOUND_WRONG)
