"""The composition root: the one place that names concrete adapters and puts a sidecar together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from joinbridge.bus.memory import MemoryBus
from joinbridge.bus.topics import Binding, estate_bindings
from joinbridge.config import Settings
from joinbridge.core.ids import Eui64, parse_eui64
from joinbridge.errors import ConfigError, DecodeError
from joinbridge.ports import Clock, Inventory, Source
from joinbridge.service.intake import Intake
from joinbridge.service.relay import Relay
from joinbridge.service.runtime import Sidecar
from joinbridge.service.step import Step
from joinbridge.service.watch import Watch
from joinbridge.store.audit_log import AuditLog
from joinbridge.store.opening import open_database
from joinbridge.store.outbox import SqlOutbox
from joinbridge.store.records import Records
from joinbridge.store.schema import current_revision, require_current, upgrade
from joinbridge.store.store import SqlStore
from joinbridge.wire.facts import Reading
from joinbridge.wire.signature import load_public_key

INTAKE_QUEUE = "joinbridge.in"
"""The embedded bus's one queue for all that joinbridge listens to, so that messages keep their order."""

OUTPUT_QUEUE = "estate"
"""The embedded bus's queue of what joinbridge publishes, for whoever plays the estate."""

_KEY_SUFFIX = "-ds.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A whole sidecar in this process: in-memory bus, SQLite, someone's inventory, someone's clock."""

    sidecar: Sidecar
    bus: MemoryBus
    records: Records


@asynccontextmanager
async def embedded(settings: Settings, *, clock: Clock, inventory: Inventory, database_url: str, live: bool) -> AsyncIterator[Embedded]:
    """Put a sidecar together on the in-memory bus, on the database at `database_url`, whose schema is brought up to date.

    Raises: ConfigError when a setting names something that is not there; StoreError when the database cannot be opened.
    """
    bus = MemoryBus(clock, dead_letter_queue=settings.bus.dead)
    bus.bind(INTAKE_QUEUE, *estate_bindings(settings.bus.service_requests, settings.bus.alerts))
    output = [Binding(exchange=exchange, pattern="#") for exchange in (settings.bus.commands, settings.bus.events)]
    bus.bind(OUTPUT_QUEUE, *output)
    # Power cannot fail between two lines of a demo or a replay: NORMAL spares the disk without risking consistency.
    async with open_database(database_url, synchronous="NORMAL", direct=True) as database, bus.source(INTAKE_QUEUE) as source:
        await upgrade(database)
        store = SqlStore(database, clock)
        outbox = SqlOutbox(database)
        step = Step(
            store=store,
            clock=clock,
            policy=settings.policy(),
            reading=reading(settings),
            watch=Watch(await store.watched()),
            live=live,
        )
        await step.refresh_rules()
        relay = Relay(
            outbox=outbox,
            publisher=bus,
            inventory=inventory,
            clock=clock,
            exchanges={"commands": settings.bus.commands, "events": settings.bus.events},
            tries_at_once=1,  # as with the intake
        )
        sidecar = Sidecar(intakes=[_intake(settings, source, step, clock)], step=step, relay=relay, store=store, outbox=outbox, clock=clock)
        yield Embedded(sidecar=sidecar, bus=bus, records=Records(database))


def _intake(settings: Settings, source: Source, step: Step, clock: Clock) -> Intake:
    # The clock is turned by hand: waiting a moment, for messages or for the database, would wait for ever.
    return Intake(source=source, step=step, clock=clock, limit=settings.batch.limit, wait=timedelta(0), tries_at_once=1)


@asynccontextmanager
async def open_records(database_url: str) -> AsyncIterator[Records]:
    """Open the records at `database_url` for reading.

    Raises: ConfigError when the database has not the schema of this version; StoreError when it cannot be opened.
    """
    async with open_database(database_url, create=False) as database:
        await require_current(database)
        yield Records(database)


@asynccontextmanager
async def open_audit_log(database_url: str) -> AsyncIterator[AuditLog]:
    """Open the audit chain at `database_url` for reading. Raises as `open_records` does."""
    async with open_database(database_url, create=False) as database:
        await require_current(database)
        yield AuditLog(database)


async def upgrade_database(database_url: str) -> tuple[str | None, str | None]:
    """Bring the database to the schema of this version; return the revision before and after.

    Raises: ConfigError when a newer version made the database; StoreError when it cannot be opened.
    """
    async with open_database(database_url) as database:
        before = await current_revision(database)
        await upgrade(database)
        return before, await current_revision(database)


def reading(settings: Settings) -> Reading:
    """Return how messages are read under `settings`.

    Raises: ConfigError that names the file, when a key cannot be loaded.
    """
    evidence = settings.evidence
    return Reading(
        keys={} if evidence.keys_dir is None else _keys(evidence.keys_dir),
        not_delivered_codes=evidence.not_delivered_codes,
        no_response_codes=evidence.no_response_codes,
    )


def _keys(folder: Path) -> Mapping[Eui64, EllipticCurvePublicKey]:
    if not folder.is_dir():
        raise ConfigError(f"evidence.keys_dir: {folder} is not a folder; make it, or leave the setting out to verify no signatures")
    keys = {}
    for file in sorted(folder.glob(f"*{_KEY_SUFFIX}")):
        try:
            keys[_signer(file)] = load_public_key(file.read_bytes())
        except DecodeError as error:
            raise ConfigError(f"evidence.keys_dir: {file}: {error.reason}") from error
        except OSError as error:
            raise ConfigError(f"evidence.keys_dir: {file}: cannot be read: {error.strerror}") from error
    return keys


def _signer(file: Path) -> Eui64:
    digits = file.name.removesuffix(_KEY_SUFFIX).replace("-", "")
    try:
        return parse_eui64("-".join(digits[i : i + 2] for i in range(0, len(digits), 2)))
    except DecodeError as error:
        raise DecodeError(f"the name is not the EUI-64 of the signer and {_KEY_SUFFIX}") from error
