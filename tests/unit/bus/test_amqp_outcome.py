"""What the driver raises becomes TransportError; what we ourselves cancelled stays cancelled."""

from __future__ import annotations

import asyncio

import pytest
from aiormq.exceptions import AMQPConnectionError, ChannelInvalidStateError, ChannelNotFoundEntity

from joinbridge.bus.amqp.outcome import transport_errors
from joinbridge.errors import TransportError


@pytest.mark.parametrize(
    "error",
    [
        AMQPConnectionError("gone"),
        ChannelInvalidStateError("closed"),  # a RuntimeError
        ChannelNotFoundEntity("NOT_FOUND"),
        ConnectionResetError("reset"),
        ValueError("routing key too long"),
        asyncio.InvalidStateError("invalid state"),
    ],
)
async def test_an_error_of_the_driver_says_what_was_being_done(error: Exception) -> None:
    with pytest.raises(TransportError, match=r"^publishing: ") as raised, transport_errors("publishing"):
        raise error

    assert raised.value.__cause__ is error


async def test_the_bare_exception_of_a_channel_that_was_closed_without_a_reason_is_one_of_the_driver() -> None:
    with pytest.raises(TransportError, match="consuming: the channel is closed"), transport_errors("consuming"):
        raise Exception  # noqa: TRY002 - this is what it raises


async def test_a_timeout_says_so() -> None:
    with pytest.raises(TransportError, match="publishing: no answer in time"), transport_errors("publishing"):
        async with asyncio.timeout(0):
            await asyncio.sleep(10)


async def test_a_cancellation_that_nobody_asked_for_is_a_lost_connection() -> None:
    dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    dead.set_exception(asyncio.CancelledError())  # what the driver does to everything that waits on a dead connection

    with pytest.raises(TransportError, match="the connection was lost"), transport_errors("publishing"):
        await dead


async def test_a_cancellation_that_somebody_asked_for_goes_on() -> None:
    async def work() -> None:
        with transport_errors("publishing"):
            await asyncio.sleep(10)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()


async def test_what_is_no_error_of_the_driver_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), transport_errors("publishing"):
        raise ZeroDivisionError
