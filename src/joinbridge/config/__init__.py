"""The configuration: one TOML file, overridden by environment variables, with secrets from files.

`JOINBRIDGE_CONFIG` names the TOML file. `JOINBRIDGE_<SECTION>__<NAME>` overrides one setting; `JOINBRIDGE_<SECTION>__<NAME>_FILE` names a
file that holds its value, as container secrets do, and gives way to the variable without `_FILE`. Lists are comma-separated there. Every
default is the safe one: nothing is sent or written unless `mode = "live"`.
"""

from joinbridge.config.loading import CONFIG_VARIABLE, load
from joinbridge.config.sections import (
    Amqp,
    Batch,
    Bus,
    Database,
    Deadlines,
    EvidenceSettings,
    Http,
    InventorySettings,
    Log,
    Metrics,
    Money,
    Mqtt,
    Pursuit,
    Rehearsal,
    Retention,
    Runtime,
    Tracing,
)
from joinbridge.config.settings import Settings
from joinbridge.config.values import LONGEST

__all__ = [
    "CONFIG_VARIABLE",
    "LONGEST",
    "Amqp",
    "Batch",
    "Bus",
    "Database",
    "Deadlines",
    "EvidenceSettings",
    "Http",
    "InventorySettings",
    "Log",
    "Metrics",
    "Money",
    "Mqtt",
    "Pursuit",
    "Rehearsal",
    "Retention",
    "Runtime",
    "Settings",
    "Tracing",
    "load",
]
