"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="TOML file; else the one JOINBRIDGE_CONFIG names.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
