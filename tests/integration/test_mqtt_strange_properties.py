"""One message with a property that paho takes for malformed stops nothing: it is delivered, and so is what comes behind it."""

from __future__ import annotations

from joinbridge.ports import Publication
from support.bus import alert, bodies, collect
from support.bus_mqtt import Estate
from support.services import Mosquitto


async def test_a_message_with_a_byte_order_mark_in_a_property_is_delivered_and_so_is_the_next(mosquitto: Mosquitto) -> None:
    estate = Estate(mosquitto)
    strange: Publication = alert("strange", headers={"made-by": "\ufeffsomebody's editor"})
    async with estate.consuming() as source:
        await estate.publish([strange, alert("good")])

        deliveries = await collect(source, 2)

    assert bodies(deliveries) == ["strange", "good"]
    assert deliveries[0].headers["made-by"] == "\ufeffsomebody's editor"
