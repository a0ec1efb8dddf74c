"""A process that reads a session and commits to a file, to be killed. `python -m support.mqtt_consumer URL CLIENT-ID TOPIC FILE [hang]`.

It says `ready`, then `received N` for each batch; with `hang` it never commits. Each committed message is a line of the file.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from joinbridge.bus.memory import MemoryBus
from joinbridge.bus.mqtt.source import MqttSource
from joinbridge.bus.mqtt.topics import alert_topics
from joinbridge.config import Mqtt
from joinbridge.service.clock import SystemClock


async def main(url: str, client_id: str, topic: str, file: Path, *, hang: bool) -> None:
    settings = Mqtt(url=SecretStr(url), client_id=client_id, topic=topic)
    letters = MemoryBus(SystemClock())
    source = MqttSource(settings, patterns=[alert_topics(topic)], window=600, clock=SystemClock(), letters=letters, dead="dead")
    async with source:
        await source.connected()
        print("ready", flush=True)  # noqa: T201 - its parent reads it
        with file.open("ab") as committed:
            while True:
                batch = await source.receive(200, timedelta(seconds=1))
                if not batch:
                    continue
                print("received", len(batch), flush=True)  # noqa: T201 - its parent reads it
                if hang:
                    await asyncio.Event().wait()
                committed.writelines(f"{one.body.decode()} {one.redelivered}\n".encode() for one in batch)
                committed.flush()
                os.fsync(committed.fileno())
                await source.ack(batch)


if __name__ == "__main__":
    _, its_url, its_client_id, its_topic, its_file, *how = sys.argv
    asyncio.run(main(its_url, its_client_id, its_topic, Path(its_file), hang=how == ["hang"]))
