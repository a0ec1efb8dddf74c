"""The composition root: the one place that names concrete adapters and puts a sidecar together."""

from joinbridge.wiring.clocks import clock_of
from joinbridge.wiring.databases import open_audit_log, open_interventions, open_records, upgrade_database
from joinbridge.wiring.deployed import Deployed, deployed
from joinbridge.wiring.embedded import OUTPUT_QUEUE, Embedded, embedded
from joinbridge.wiring.inspecting import inspect
from joinbridge.wiring.operations import Operations
from joinbridge.wiring.rehearsing import rehearsing
from joinbridge.wiring.requeueing import REQUEUED, requeue_letters
from joinbridge.wiring.signers import reading

__all__ = [
    "OUTPUT_QUEUE",
    "REQUEUED",
    "Deployed",
    "Embedded",
    "Operations",
    "clock_of",
    "deployed",
    "embedded",
    "inspect",
    "open_audit_log",
    "open_interventions",
    "open_records",
    "reading",
    "rehearsing",
    "requeue_letters",
    "upgrade_database",
]
