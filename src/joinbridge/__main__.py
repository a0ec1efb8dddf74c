"""`python -m joinbridge` is the command line."""

from __future__ import annotations

from joinbridge.cli import main

if __name__ == "__main__":
    main()
