"""How long RabbitMQ takes to confirm: counted for what it confirmed, and for nothing else."""

from __future__ import annotations

import pytest

from joinbridge.bus.amqp.health import CONFIRMED_WITHIN_S
from joinbridge.errors import TransportError
from support.bus import alert
from support.bus_amqp import opened
from support.services import VirtualHost


async def test_each_confirmation_is_counted_with_the_time_it_took_and_a_refusal_is_not(virtual_host: VirtualHost) -> None:
    async with opened(virtual_host) as bus:
        await bus.publisher.publish([alert(bytes([number])) for number in range(5)])
        with pytest.raises(TransportError, match="no queue takes it"):
            await bus.publisher.publish([alert("lost", "retry.join", exchange="joinbridge.commands")])

        confirmed, delays = bus.measure().confirmed, bus.measure().confirm_delays

    assert confirmed == 5
    assert delays.cumulative()[-1] == (CONFIRMED_WITHIN_S[-1], 5)
    assert 0 < delays.total_s < 5 * 2  # which is the timeout here
