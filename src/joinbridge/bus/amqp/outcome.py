"""What the driver raises, turned into `TransportError`: in one place, because some of it does not look like an error."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from aiormq.abc import AbstractChannel

from joinbridge.errors import TransportError

CLOSE_TIMEOUT_S = 5.0
"""A broker that does not answer to a goodbye in this time will not answer at all."""


@contextmanager
def transport_errors(doing: str) -> Iterator[None]:
    """Raise what the driver raises inside as TransportError that begins with `doing`.

    When a connection is found dead, the driver cancels what waits on it: a `CancelledError` that nobody asked for, which neither
    `except Exception` nor a TaskGroup would report. Whether this task itself was cancelled is what tells the two apart. What is begun in
    the moment between is refused with a bare `Exception`, if the channel was closed without a reason. And a message that comes back
    when nobody waits for it any more ends the channel by an `InvalidStateError`, and with it all that waits there.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise TransportError(f"{doing}: the connection was lost") from error
    except TimeoutError as error:
        raise TransportError(f"{doing}: no answer in time") from error
    except asyncio.InvalidStateError as error:
        raise TransportError(f"{doing}: the channel was lost") from error
    except (*CONNECTION_EXCEPTIONS, ValueError, struct.error) as error:  # the last two: what does not fit into a frame
        raise TransportError(f"{doing}: {str(error) or type(error).__name__}") from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise TransportError(f"{doing}: the channel is closed") from error


async def close_quietly(channel: AbstractChannel) -> None:
    """Close `channel` if it can be closed; the broker gives back what is unsettled on it either way."""
    with suppress(TransportError), transport_errors("closing a channel"):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await channel.close()


@asynccontextmanager
async def closing(channel: AbstractChannel) -> AsyncIterator[AbstractChannel]:
    """Close `channel` at the end."""
    try:
        yield channel
    finally:
        await close_quietly(channel)
