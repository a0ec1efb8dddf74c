"""Everything that can be set, and the policy that follows from it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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
    Section,
    Tracing,
)
from joinbridge.config.values import RuleName
from joinbridge.core.evidence import Mode
from joinbridge.core.ids import Eui64
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import DeviceType


class Settings(Section):
    """Everything that can be set."""

    mode: Literal["shadow", "live"] = Field("shadow", description="shadow decides and records; live also sends and writes the inventory")
    database: Database = Database()
    bus: Bus = Bus()
    amqp: Amqp = Amqp()
    mqtt: Mqtt = Mqtt()
    batch: Batch = Batch()
    deadlines: Deadlines = Deadlines()
    pursuit: Pursuit = Pursuit()
    evidence: EvidenceSettings = EvidenceSettings()
    inventory: InventorySettings = InventorySettings()
    runtime: Runtime = Runtime()
    rehearsal: Rehearsal = Rehearsal()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()
    http: Http = Http()
    log: Log = Log()
    tracing: Tracing = Tracing()
    money: Money = Money()
    rules: dict[RuleName, Mode] = Field(default_factory=dict, description="rule name = off, shadow or live")

    def policy(self) -> Policy:
        """Return the policy that the engine decides by."""
        waits, pursuit, evidence = self.deadlines, self.pursuit, self.evidence
        return Policy(
            answer_wait={
                DeviceType.GSME: waits.gsme,
                DeviceType.ESME: waits.esme,
                DeviceType.GPF: waits.gpf,
                DeviceType.CHF: waits.chf,
                DeviceType.PPMID: waits.ppmid,
                DeviceType.HCALCS: waits.hcalcs,
            },
            answer_wait_unknown=waits.unknown,
            answer_wait_local=waits.local,
            backlog_grace=waits.backlog_grace,
            final_wait=waits.final,
            gpf_patience=pursuit.gpf_patience,
            max_retries=pursuit.max_retries,
            retry_wait=pursuit.retry_wait,
            retry_wait_max=pursuit.retry_wait_max,
            max_probes=pursuit.max_probes,
            probe_wait=pursuit.probe_wait,
            probe_originator=Eui64(pursuit.probe_originator),
            clock_skew=evidence.clock_skew,
            queue_skew=evidence.queue_skew,
            max_transit=evidence.max_transit,
            needs_type=self._needs_type(),
            contradictions_to_shadow=evidence.contradictions_to_shadow,
            contradiction_window=evidence.contradiction_window,
            trusted_sources=evidence.trusted_sources,
            rule_modes=dict(self.rules),
        )

    def _needs_type(self) -> bool:
        if self.evidence.needs_type is not None:
            return self.evidence.needs_type
        # What acts has to be right; and where types can be had, it is worth waiting for them.
        return self.mode == "live" or self.inventory.devices_table is not None
