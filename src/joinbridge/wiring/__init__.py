"""The composition root: the one place that names concrete adapters and puts a sidecar together."""

from joinbridge.wiring.databases import open_audit_log, open_records, upgrade_database
from joinbridge.wiring.embedded import OUTPUT_QUEUE, Embedded, embedded
from joinbridge.wiring.signers import reading

__all__ = ["OUTPUT_QUEUE", "Embedded", "embedded", "open_audit_log", "open_records", "reading", "upgrade_database"]
