"""Serving the application with uvicorn, in the event loop of the sidecar."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from joinbridge.errors import ConfigError

GRACE_S = 2
"""So long may answers take that are on their way when the port closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An open port; `task` ends with the server."""

    host: str
    port: int
    task: asyncio.Task[None]

    @property
    def address(self) -> str:
        """Where it is, as a URL."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the sidecar, which ends the server itself, last of all."""
        yield


@asynccontextmanager
async def serving(app: FastAPI, *, host: str, port: int) -> AsyncIterator[Served]:
    """Serve `app` on `host` and `port` while this is open; 0 takes any port that is free.

    Raises: ConfigError when that address cannot be listened on.
    """
    with _listening(host, port) as listener:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False, timeout_graceful_shutdown=GRACE_S
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        try:
            yield Served(host=host, port=listener.getsockname()[1], task=task)
        finally:
            server.should_exit = True
            await asyncio.wait((task,))


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"http.host, http.port: cannot listen on {host}:{port}: {error.strerror or error}; set another port, or http.enabled = false"
        ) from error
