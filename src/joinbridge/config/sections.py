"""The sections of the configuration, each with its settings, their safe defaults and their meaning."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from joinbridge.config.values import Duration, EuiText, Words
from joinbridge.core.policy import ACB


class Section(BaseModel):
    """Some settings that belong together; one that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Database(Section):
    """Where joinbridge keeps its own records."""

    url: SecretStr = Field(SecretStr("sqlite+aiosqlite:///joinbridge.db"), description="SQLAlchemy URL; may hold a password")
    connect_deadline: Duration = Field(timedelta(minutes=2), description="how long the start waits for the database")


class Bus(Section):
    """The names of the estate's exchanges and of joinbridge's own."""

    service_requests: str = Field("dsp.sr", description="topic exchange of requests and responses")
    alerts: str = Field("csp.alerts", description="topic exchange of device alerts")
    commands: str = Field("joinbridge.commands", description="where retries, probes and notices are published")
    events: str = Field("joinbridge.events", description="where join events are published")
    dead: str = Field("joinbridge.dead", description="queue of dead letters")


class Amqp(Section):
    """RabbitMQ: how it is reached, and what joinbridge's own queues are like."""

    url: SecretStr = Field(SecretStr("amqp://guest:guest@localhost/"), description="AMQP URL with the virtual host; may hold a password")
    ca_file: Path | None = Field(None, description="PEM of the authorities that sign the broker's certificate, for amqps")
    certificate_file: Path | None = Field(None, description="PEM of joinbridge's own certificate, for mutual TLS")
    key_file: Path | None = Field(None, description="PEM of its private key, where that is not in certificate_file")
    management_url: SecretStr | None = Field(None, description="management API, which only the doctor reads; may hold a password")
    queue: str = Field("joinbridge.in", description="joinbridge's own queue of all it listens to")
    partitions: int = Field(1, ge=1, le=64, description="more than one divides the queue by partition_header; needs a plugin")
    partition_header: str = Field("device", description="header by which a consistent-hash exchange chooses the partition")
    topology: Literal["assert", "passive"] = Field("assert", description="assert creates what is missing; passive only checks")
    declare_estate: bool = Field(False, description="also create the estate's exchanges where they are missing")
    delivery_limit: int = Field(20, ge=20, description="so often may a delivery be lost with its consumer before it is a dead letter")
    max_length: int = Field(5_000_000, ge=1000, description="messages that a queue holds before the broker refuses more")
    heartbeat: Duration = Field(timedelta(seconds=15), description="a silent broker is noticed after three of them")
    connect_timeout: Duration = Field(timedelta(seconds=5), description="one try to connect or to open a channel")
    connect_deadline: Duration = Field(timedelta(minutes=2), description="how long the start waits for the broker")
    publish_timeout: Duration = Field(timedelta(seconds=10), description="wait for the broker's confirmation")
    hold: Duration = Field(timedelta(minutes=20), description="longest time an unsettled delivery is kept; under consumer_timeout")


class Batch(Section):
    """How messages are grouped into transactions."""

    limit: int = Field(200, ge=1, le=2000, description="most messages in one transaction")
    wait: Duration = Field(timedelta(milliseconds=25), description="longest wait for a batch to fill")


class Deadlines(Section):
    """How long to wait for an answer, by the type of the target, before it counts as lost."""

    gsme: Duration = Field(timedelta(minutes=90), description="a gas meter sleeps and collects its messages")
    esme: Duration = Field(timedelta(minutes=10), description="electricity meter")
    gpf: Duration = Field(timedelta(minutes=10), description="gas proxy function")
    chf: Duration = Field(timedelta(minutes=10), description="communications hub function")
    ppmid: Duration = Field(timedelta(minutes=10), description="prepayment display")
    hcalcs: Duration = Field(timedelta(minutes=10), description="load switch")
    unknown: Duration = Field(timedelta(minutes=90), description="a target of unknown type may be a gas meter")
    local: Duration = Field(timedelta(days=3), description="a command carried by hand-held terminal")
    final: Duration = Field(timedelta(days=7), description="after this a person decides")
    backlog_grace: Duration = Field(timedelta(minutes=1), description="least time an answer has after its request was read")


class Pursuit(Section):
    """What is tried when an answer is lost, and how often."""

    max_retries: int = Field(2, ge=0, le=10, description="re-issues of a command that the ACB fronts")
    retry_wait: Duration = Field(timedelta(minutes=5), description="before the first re-issue; doubles each time, spread by 25 %")
    retry_wait_max: Duration = Field(timedelta(hours=4), description="the doubling stops here")
    max_probes: int = Field(4, ge=0, le=20, description="reads of the target's Device Log")
    probe_wait: Duration = Field(timedelta(hours=2), description="before a probe is repeated")
    gpf_patience: Duration = Field(timedelta(hours=1), description="how long to wait for a GPF's own 8071 before probing")
    probe_originator: EuiText = Field(ACB, description="EUI-64 in whose name the Device Log is read")


class EvidenceSettings(Section):
    """What counts as proof."""

    trusted_sources: Words = Field(
        frozenset({"sr.request", "sr.response", "csp.alert"}), description="producers whose unsigned messages count in full"
    )
    keys_dir: Path | None = Field(None, description="folder of <eui64>-ds.pem: certificates or keys of signers, to verify with")
    clock_skew: Duration = Field(timedelta(minutes=1), description="between a device's clock and the bus")
    queue_skew: Duration = Field(timedelta(minutes=5), description="between two queues or brokers")
    max_transit: Duration = Field(timedelta(days=2), description="longest time the network keeps a message")
    needs_type: bool | None = Field(
        None,
        description="whether an entry of a Device Log waits for its device's type; unset: in live mode, and with inventory.devices_table",
    )
    contradictions_to_shadow: int = Field(3, ge=1, description="so many contradictions in the window return a rule to shadow")
    contradiction_window: Duration = Field(timedelta(days=7), description="the window")
    not_delivered_codes: Words = Field(frozenset({"N12"}), description="DCC Alert codes: command not delivered")
    no_response_codes: Words = Field(frozenset({"N13"}), description="DCC Alert codes: no answer from the device")


class InventorySettings(Section):
    """The Smart Metering Inventory: the database of record, and how it keeps the join relation."""

    url: SecretStr | None = Field(None, description="SQLAlchemy URL of the inventory; may hold a password; live mode wants it")
    table: str = Field("joins", description="table of the join relation, a row for each directional pair")
    table_schema: str | None = Field(None, description="schema of that table")
    target_column: str = Field("target", description="column of the target's EUI-64")
    other_column: str = Field("other", description="column of the other device's EUI-64")
    joined_column: str = Field("joined", description="column that says whether they are joined")
    joined_value: bool | int | str = Field(True, description="what it holds when they are")
    not_joined_value: bool | int | str = Field(False, description="what it holds when they are not")
    may_insert: bool = Field(True, description="whether a row may be made for a pair that has none")
    patience: Duration = Field(timedelta(seconds=15), description="longest time that one question or change may take")
    devices_table: str | None = Field(None, description="table that describes devices, if there is one to be read")
    devices_schema: str | None = Field(None, description="schema of that table")
    device_column: str = Field("device", description="column of a device's EUI-64 there")
    type_column: str = Field("type", description="column of its type: GBCS's number, or a name such as GSME or CAD")
    make_column: str | None = Field(None, description="column of its manufacturer, if there is one")
    model_column: str | None = Field(None, description="column of its model, if there is one")
    firmware_column: str | None = Field(None, description="column of its firmware version, if there is one")
    region_column: str | None = Field(None, description="column of its CSP region, if there is one")


class Runtime(Section):
    """How the sidecar starts and ends."""

    drain: Duration = Field(timedelta(seconds=20), description="longest time that ending in order may take")
    ready_file: Path | None = Field(None, description="made when consumers are registered, and removed at the end, for health checks")


class Rehearsal(Section):
    """Time that runs faster, for rehearsals on a simulated estate; never where real devices are."""

    speed: float = Field(1.0, ge=1, le=10_000, description="so many seconds pass in each second")
    origin: AwareDatetime | None = Field(None, description="when both clocks showed the same, RFC 3339; needed when speed is not 1")

    @model_validator(mode="after")
    def _anchored(self) -> Self:
        if self.speed != 1 and self.origin is None:
            raise ValueError("speed needs origin: the moment at which the faster clock begins, such as now")
        return self


class Mqtt(Section):
    """A broker that brings device alerts over MQTT 5, besides RabbitMQ."""

    url: SecretStr | None = Field(
        None, description="mqtt://[user:password@]host[:port], or mqtts:// for TLS; none: no MQTT; may hold a password"
    )
    client_id: str = Field(
        "joinbridge", min_length=1, description="names the session that the broker keeps: one for each instance, the same after a restart"
    )
    topic: str = Field("csp/{region}/alerts/{code}", description="topics of the alerts; each {name} is one level")
    share: str | None = Field(None, description="group of a shared subscription, whose instances divide the alerts among them")
    session_expiry: Duration = Field(timedelta(days=7), description="how long the broker keeps what comes while joinbridge is away")
    keepalive: Duration = Field(timedelta(seconds=15), description="a silent connection is found dead after twice this")
    connect_timeout: Duration = Field(timedelta(seconds=5), description="one try to connect")
    reconnect_max: Duration = Field(timedelta(seconds=30), description="longest pause before connecting again")
    ca_file: Path | None = Field(None, description="PEM of the authorities that sign the broker's certificate; the system's when none")
    certificate_file: Path | None = Field(None, description="PEM of joinbridge's own certificate, for mutual TLS")
    key_file: Path | None = Field(None, description="PEM of its private key, where that is not in certificate_file")

    @field_validator("topic")
    @classmethod
    def _names_the_code(cls, topic: str) -> str:
        names = re.findall(r"\{([^{}]*)\}", topic)
        if sorted(names) != ["code", "region"] or set("+#{}") & set(re.sub(r"\{[^{}]*\}", "", topic)):
            raise ValueError("must name {region} and {code} once each, and no other wildcard")
        return topic


class Retention(Section):
    """How long records are kept. What an open attempt, a joined pair or an owed effect needs stays whatever its age; so does the audit."""

    inbox: Duration = Field(timedelta(days=60), description="keys of messages seen; longer than anything may be redelivered or requeued")
    evidence: Duration = Field(timedelta(days=400), description="sightings and findings of devices of which nothing is open or joined")
    effects: Duration = Field(timedelta(days=180), description="effects that were carried out or withheld")
    dead_letters: Duration = Field(timedelta(days=180), description="dead letters that were sent again or dismissed")

    @model_validator(mode="after")
    def _evidence_outlives_the_inbox(self) -> Self:
        if self.evidence < self.inbox:
            # A message that is forgotten before its effects are could come again and be judged without what it was judged with.
            raise ValueError("evidence must be kept at least as long as the inbox")
        return self


class Metrics(Section):
    """What is counted, and under which names."""

    regions: Words = Field(frozenset({"north", "central", "south"}), description="CSP regions that are told apart; others are `other`")
    top: int = Field(50, ge=1, le=1000, description="kinds of device (make, model, firmware) with series of their own")
    census: Duration = Field(timedelta(seconds=30), description="how often the store is counted")


class Http(Section):
    """The port for metrics, health and the read-only API. It has no login of its own."""

    enabled: bool = Field(True, description="whether there is one")
    host: str = Field("127.0.0.1", description="address to listen on; anybody who reaches it may read what joinbridge knows")
    port: int = Field(9464, ge=0, le=65535, description="0 for any that is free")
    sweep_limit: Duration = Field(timedelta(seconds=15), description="not ready when the last sweep of deadlines is older")


class Log(Section):
    """What is written to standard error."""

    format: Literal["json", "console"] = Field("json", description="JSON Lines for machines, or lines for people")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least that is written of joinbridge's own")


class Tracing(Section):
    """OpenTelemetry traces; they want the extra `joinbridge[tracing]`."""

    exporter: str | None = Field(
        None, description="console, or the name of an installed exporter, such as otlp_proto_http; none: no traces"
    )


class Money(Section):
    """What a manual correction of the inventory costs."""

    correction_gbp: int = Field(2000, ge=0, description="price of one manual correction, in GBP")
