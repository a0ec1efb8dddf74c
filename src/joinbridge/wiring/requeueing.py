"""Sending dead letters again: record the intent, publish and confirm, then settle."""

from __future__ import annotations

from collections.abc import Sequence

from joinbridge.bus.amqp.connecting import AmqpBus, connect
from joinbridge.bus.letters import to_requeue
from joinbridge.config import Settings
from joinbridge.core.ids import MessageKey
from joinbridge.errors import StaleVersionError
from joinbridge.ports import Interventions
from joinbridge.service.clock import SystemClock
from joinbridge.store.interventions import SqlInterventions
from joinbridge.store.opening import open_database
from joinbridge.store.records import Records
from joinbridge.store.schema import require_current

REQUEUED = "sent again"
"""What `requeue_letters` says of a letter that is settled."""

_PAGE = 200


async def requeue_letters(settings: Settings, keys: Sequence[MessageKey] | None, *, by: str, reason: str) -> dict[str, str]:
    """Send the dead letters `keys`, or all that are not settled, to joinbridge's queue; return what became of each.

    Interrupted at any point it can be called again: a letter counts as sent once the broker has confirmed it.

    Raises: StoreError, TransportError when a service cannot be reached; ConfigError when the database has not the right schema.
    """
    clock = SystemClock()
    async with open_database(settings.database.url.get_secret_value(), create=False) as database:
        await require_current(database)
        chosen = await _unsettled(Records(database)) if keys is None else keys
        async with connect(settings, clock=clock) as bus:
            interventions = SqlInterventions(database, clock)
            return {key: await _requeue(interventions, bus, key, by=by, reason=reason) for key in chosen}


async def _requeue(interventions: Interventions, bus: AmqpBus, key: MessageKey, *, by: str, reason: str) -> str:
    try:
        letter = await interventions.begin_requeue(key, by=by, reason=reason)
    except StaleVersionError as error:
        return str(error)
    if letter is None:
        return "there is no such dead letter"
    await bus.publisher.publish([to_requeue(letter, bus.queues[0])])
    return REQUEUED if await interventions.finish_requeue(letter) else "sent again, and came back as a dead letter"


async def _unsettled(records: Records) -> list[MessageKey]:
    found: list[MessageKey] = []
    page = await records.dead_letters(limit=_PAGE)
    while page:
        found += [letter.key for letter in page]
        page = await records.dead_letters(after=page[-1], limit=_PAGE)
    return found
