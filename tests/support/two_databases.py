"""Starts a PostgreSQL for `joinbridge sim --database`, and stops it again.

python -m support.two_databases --seeds 2000 [any other option of `joinbridge sim`]
"""

from __future__ import annotations

import subprocess
import sys

from support import services


def main() -> int:
    """Run `joinbridge sim` with the arguments of this program on a PostgreSQL of its own; return its exit code."""
    with services.postgresql() as server:
        command = [sys.executable, "-m", "joinbridge", "sim", "--database", server.database_url("postgres"), *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
