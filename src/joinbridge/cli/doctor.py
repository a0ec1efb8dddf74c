"""`joinbridge doctor`: what the sidecar would lean on, and how to mend what is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import typer
from rich.text import Text

from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import FOUND_WRONG, UNREACHABLE, console, print_json
from joinbridge.config import load
from joinbridge.findings import Finding, Severity
from joinbridge.wiring.inspecting import inspect

_STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "bold red"}
_SERVICES = frozenset({"connection", "database", "inventory", "MQTT"})
"""What a finding of a service that is not there at all is about."""


def doctor(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Look at broker, database, inventory and MQTT as the configuration names them; say what is wrong and how to mend it.

    Changes nothing. Exit code 0 when all is well or needs only watching, 1 when something must be mended, 3 when a service is away.
    """
    findings = asyncio.run(inspect(load(config)))
    if as_json:
        print_json([{"severity": f.severity.value, "what": f.what, "detail": f.detail, "fix": f.fix or None} for f in findings])
    else:
        _show(findings)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise typer.Exit(UNREACHABLE if any(error.what in _SERVICES for error in errors) else FOUND_WRONG)


def _show(findings: Sequence[Finding]) -> None:
    terminal = console()
    for each in findings:
        terminal.print(
            Text.assemble((f"{each.severity.value:>8}", _STYLES[each.severity]), f"  {each.what}: {each.detail}"), soft_wrap=True
        )
        if each.fix:
            terminal.print(f"          fix: {each.fix}", soft_wrap=True)
    counted = {severity: sum(each.severity is severity for each in findings) for severity in Severity}
    terminal.print(", ".join(f"{count} {severity.value}" for severity, count in counted.items()))
