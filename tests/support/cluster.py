"""Three RabbitMQ nodes in network namespaces of their own, which can be cut off from each other and killed, behind one balancer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from support.proxy import Proxy
from support.services import _RABBITMQ, RabbitMq, RabbitMqServer, Server, _folder, _started, missing

NODES = 3
AMQP_PORT, API_PORT, DISTRIBUTION_PORT, EPMD_PORT = 35_672, 35_673, 35_674, 35_675  # in each namespace; nobody else is there
TICK_S = 4
"""So long is a node silent before the others take it for gone, give or take a quarter; RabbitMQ's own default is a minute."""


class Node(RabbitMqServer):
    """One node. `address` is that of its namespace."""

    address = ""
    namespace = ""

    def ready(self) -> bool:
        """Return whether it speaks AMQP 0-9-1."""
        with suppress(OSError), socket.create_connection((self.address, self.port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
        return False


class _Epmd(Server):
    address = ""

    def ready(self) -> bool:
        """Return whether it takes connections."""
        with suppress(OSError), socket.create_connection((self.address, self.port), timeout=2):
            return True
        return False


@dataclass(frozen=True)
class Cluster:
    """The nodes, and what stands before them: `rabbitmq` leads to whichever node takes connections."""

    nodes: Sequence[Node]
    rabbitmq: RabbitMq
    amqp: Proxy
    api: Proxy

    def leader_of(self, virtual_host: str, queue: str) -> Node:
        """Return the node that leads a quorum queue."""
        told = self.rabbitmq.call("GET", f"/api/queues/{virtual_host}/{queue}")
        assert isinstance(told, dict)
        name = str(told["leader"])
        return next(node for node in self.nodes if name.endswith(f"@{node.address}"))

    def cut_off(self, node: Node) -> None:
        """Let nothing pass between `node` and the others, in either direction; clients reach them all."""
        self._between(node, "add")

    def heal(self, node: Node) -> None:
        """Let everything pass again."""
        self._between(node, "del")

    def await_whole(self, within_s: float = 120.0) -> None:
        """Wait until every node runs, and each of them sees all the others."""
        deadline = time.monotonic() + within_s
        while not all(self._sees_all(node) for node in self.nodes):
            assert time.monotonic() < deadline, "the cluster does not become whole again"
            time.sleep(0.5)

    def await_changes(self, within_s: float = 120.0) -> None:
        """Wait until the cluster takes a change that all nodes agree on: one that has just come together may let it hang."""
        deadline = time.monotonic() + within_s
        while not self._takes_changes():
            assert time.monotonic() < deadline, "the cluster takes no change"
            time.sleep(0.5)

    def _takes_changes(self) -> bool:
        with suppress(OSError):
            for method in ("PUT", "DELETE"):
                self.rabbitmq.call(method, "/api/vhosts/first", {})
            return True
        return False

    def _between(self, node: Node, verb: str) -> None:
        for other in self.nodes:
            if other is not node:
                for one, another in ((node, other), (other, node)):
                    _ip("-n", one.namespace, "route", verb, "blackhole", f"{another.address}/32")

    def _sees_all(self, node: Node) -> bool:
        told = RabbitMq(self.rabbitmq.url, f"http://{node.address}:{API_PORT}")
        try:
            found = told.call("GET", "/api/nodes")
        except OSError:
            return False
        assert isinstance(found, list)
        return node.ready() and len(found) == NODES and all(one.get("running") and not one.get("partitions") for one in found)


@contextmanager
def cluster(handling: str = "pause_minority") -> Iterator[Cluster]:
    """Start three nodes that are one cluster, and stop them again. `handling` is RabbitMQ's `cluster_partition_handling`."""
    if not _RABBITMQ.exists():
        missing("RabbitMQ")
    epmd = shutil.which("epmd")
    if epmd is None:
        missing("Erlang")
    name = f"jb{uuid4().hex[:6]}"
    with _folder("cluster") as folder, _namespaces(name) as addresses, ExitStack() as stack:
        members = "".join(f"cluster_formation.classic_config.nodes.{n} = {name}@{at}\n" for n, at in enumerate(addresses, start=1))
        nodes = []
        for number, address in enumerate(addresses, start=1):
            namespace = f"{name}-{number}"
            mapper = _Epmd(
                command=_inside(namespace, str(epmd), "-port", str(EPMD_PORT)), folder=_made(folder / f"epmd-{number}"), port=EPMD_PORT
            )
            mapper.address = address
            stack.enter_context(_started(mapper))
            node = _node(folder, name, address, namespace, f"cluster_partition_handling = {handling}\n{members}")
            stack.enter_context(_started(node))
            nodes.append(node)
        first, *rest = (f"amqp://guest:guest@{node.address}:{AMQP_PORT}" for node in nodes)
        amqp = stack.enter_context(Proxy(first, others=rest))
        first, *rest = (f"http://{node.address}:{API_PORT}" for node in nodes)
        api = stack.enter_context(Proxy(first, others=rest))
        made = Cluster(nodes, RabbitMq(amqp.url, api.url), amqp, api)
        made.await_whole()
        made.await_changes()
        yield made


def _node(folder: Path, name: str, address: str, namespace: str, configuration: str) -> Node:
    own = _made(folder / namespace)
    (own / "enabled_plugins").write_text("[rabbitmq_management].\n")
    (own / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = {address}:{AMQP_PORT}\nmanagement.tcp.ip = {address}\nmanagement.tcp.port = {API_PORT}\n"
        "loopback_users = none\ncollect_statistics_interval = 1000\n"
        "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 1GB\nlog.console = true\nlog.console.level = info\n"
        f"cluster_formation.peer_discovery_backend = classic_config\n{configuration}"
    )
    node = Node(
        command=_inside(namespace, str(_RABBITMQ)),
        folder=own,
        port=AMQP_PORT,
        environment={
            "HOME": str(folder),  # one for all: it holds the cookie by which they know each other
            "ERL_EPMD_PORT": str(EPMD_PORT),
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_NODENAME": f"{name}@{address}",
            "RABBITMQ_NODE_PORT": str(AMQP_PORT),
            "RABBITMQ_DIST_PORT": str(DISTRIBUTION_PORT),
            "RABBITMQ_MNESIA_BASE": str(own / "mnesia"),
            "RABBITMQ_LOG_BASE": str(own / "log"),
            "RABBITMQ_PID_FILE": str(own / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(own / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(own / "rabbitmq.conf"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel net_ticktime {TICK_S}",
        },
    )
    node.address, node.namespace = address, namespace
    return node


@contextmanager
def _namespaces(name: str) -> Iterator[Sequence[str]]:
    """Make the namespaces `name`-1, -2 and -3 on one bridge; give their addresses. Skip the test where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root may make network namespaces, with the command ip")
    net = f"10.213.{os.getpid() % 250}"
    made: list[Sequence[str]] = []
    try:
        try:
            _ip("link", "add", name, "type", "bridge")
            made.append(("link", "del", name))
            _ip("addr", "add", f"{net}.254/24", "dev", name)
            _ip("link", "set", name, "up")
            for number in range(1, NODES + 1):
                space, cable = f"{name}-{number}", f"{name}v{number}"
                _ip("netns", "add", space)
                made.append(("netns", "del", space))
                _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
                _ip("link", "set", cable, "master", name, "up")
                _ip("-n", space, "link", "set", "lo", "up")
                _ip("-n", space, "addr", "add", f"{net}.{number}/24", "dev", "eth0")
                _ip("-n", space, "link", "set", "eth0", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine makes no network namespaces: {error.stderr.decode().strip()}")
        yield [f"{net}.{number}" for number in range(1, NODES + 1)]
    finally:
        for arguments in reversed(made):
            _ip(*arguments)


def _inside(namespace: str, *command: str) -> list[str]:
    return ["ip", "netns", "exec", namespace, *command]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)  # noqa: S607 - whichever is on the PATH


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
