"""A TCP proxy that does to a connection what networks do: it delays, cuts up, stalls in one direction or both, refuses, cuts, resets.

It runs in a thread of its own, so that a test that awaits and one that does not can use it alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

_CHUNK = 65_536
_PATIENCE_S = 10.0
_RESET = struct.pack("ii", 1, 0)  # close at once and throw away what is unsent: the other side sees a reset


@dataclass
class Weather:
    """What happens to every octet from now on. Seconds for `latency_s`, octets for `slice_at_most`; 0 leaves it alone."""

    latency_s: float = 0.0
    slice_at_most: int = 0
    stalled_to_server: bool = False
    stalled_to_client: bool = False


class CutHere(Exception):  # noqa: N818 - an order, not an error
    """Raised by a wire: what it has yielded goes on, and then the connection ends."""


class Wire(Protocol):
    """Knows what is said on one connection, and meddles with it."""

    def through(self, octets: bytes, *, to_server: bool) -> Iterator[bytes]:
        """Yield what is to go on instead of `octets`, as much of it as is whole by now. Raises: CutHere."""
        ...


@dataclass(eq=False)
class _Link:
    """One connection: the sockets of its two sides, and whether it is to end."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    sides: list[asyncio.StreamWriter] = field(default_factory=list)


class Proxy:
    """Listens on a port of its own and passes everything on to the server of a URL, through the weather of the moment.

    It is a balancer when there are `others`: each connection goes to the first that takes it, beginning with another one each time.
    `refusing` closes each new connection at once. `connections` counts those that came, `resets` the sockets that were reset.
    """

    def __init__(self, url: str, wire: Callable[[], Wire] | None = None, *, others: Sequence[str] = ()) -> None:
        self.weather = Weather()
        self.refusing = False
        self.connections = 0
        self.resets = 0
        self._target = urlsplit(url)
        self._servers = deque((parts.hostname, parts.port) for parts in map(urlsplit, (url, *others)))
        self._wire = wire
        self._chance = random.Random(1)
        self._links: dict[asyncio.Task[Any], _Link] = {}  # Any: they return nothing
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """The URL, with this proxy in the place of its server."""
        login, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{login}{at}127.0.0.1:{self.port}").geturl()

    def reset(self) -> None:
        """Reset every connection."""
        self._do(self._end(reset=True))

    def cut(self) -> None:
        """Close every connection, on both sides; what was on its way in here is lost."""
        self._do(self._end(reset=False))

    def freeze(self) -> None:
        """Let nothing through, without a word."""
        self.weather = Weather(stalled_to_server=True, stalled_to_client=True)

    def thaw(self) -> None:
        """Let everything through."""
        self.weather = Weather()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    # So that it can stand before what goes through it in one `async with`.

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _do(self, what: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine sends and is sent concerns its loop alone
        asyncio.run_coroutine_threadsafe(what, self._loop).result(_PATIENCE_S)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_CHUNK)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._end(reset=True)
        await self._server.wait_closed()

    async def _end(self, *, reset: bool) -> None:
        links = dict(self._links)
        for link in links.values():
            if reset:
                for side in link.sides:
                    sock: socket.socket = side.get_extra_info("socket")
                    with contextlib.suppress(OSError):
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    self.resets += 1
            link.ended.set()
        await asyncio.gather(*links)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.connections += 1
        mine = asyncio.current_task()
        assert mine is not None
        link = self._links[mine] = _Link(sides=[to_client])
        ways: list[asyncio.Task[Any]] = [asyncio.create_task(link.ended.wait())]  # Any: whatever they return
        try:
            # Never cancelled while it connects: half an opened socket would be left.
            with contextlib.suppress(OSError):
                if not self.refusing:
                    from_server, to_server = await self._connect()
                    link.sides.append(to_server)
                    wire = None if self._wire is None else self._wire()
                    ways.append(asyncio.create_task(self._pass(from_client, to_server, wire, to_server=True)))
                    ways.append(asyncio.create_task(self._pass(from_server, to_client, wire, to_server=False)))
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        finally:
            del self._links[mine]
            for side in link.sides:
                side.transport.abort()
                with contextlib.suppress(OSError):
                    await side.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in range(len(self._servers) - 1):
            self._servers.rotate(-1)
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(*self._servers[0], limit=_CHUNK)
        self._servers.rotate(-1)
        return await asyncio.open_connection(*self._servers[0], limit=_CHUNK)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire | None, *, to_server: bool) -> None:
        with contextlib.suppress(OSError):
            try:
                while data := await reader.read(_CHUNK):
                    for part in (data,) if wire is None else wire.through(data, to_server=to_server):
                        await self._send(part, writer, to_server=to_server)
            except CutHere:
                while writer.transport.get_write_buffer_size():  # noqa: ASYNC110 - a transport tells only of its low-water mark
                    await asyncio.sleep(0.001)

    async def _send(self, data: bytes, writer: asyncio.StreamWriter, *, to_server: bool) -> None:
        for part in self._sliced(data):
            if self.weather.latency_s:
                await asyncio.sleep(self._chance.uniform(0, 2 * self.weather.latency_s))
            while self.weather.stalled_to_server if to_server else self.weather.stalled_to_client:  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.01)
            writer.write(part)
            await writer.drain()

    def _sliced(self, data: bytes) -> Iterator[bytes]:
        most = self.weather.slice_at_most
        if not most:
            yield data
            return
        while data:
            size = self._chance.randint(1, most)
            yield data[:size]
            data = data[size:]
