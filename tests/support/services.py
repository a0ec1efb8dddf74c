"""Real servers for tests: RabbitMQ, PostgreSQL and Mosquitto, each on a free port with a data folder of its own, stopped again.

`JOINBRIDGE_TEST_AMQP_URL`, `JOINBRIDGE_TEST_RABBITMQ_API`, `JOINBRIDGE_TEST_POSTGRESQL_URL` and `JOINBRIDGE_TEST_MQTT_URL` name servers
that are there already. Where a server is missing, its tests are skipped at a desk and fail in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest

START_TIMEOUT_S = 180.0  # an overloaded machine takes its time; a quiet one needs 9 s for RabbitMQ and 1 s for the others
STOP_TIMEOUT_S = 30.0

_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
_MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def free_port() -> int:
    """Return a port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def missing(what: str) -> None:
    """Skip the test because `what` is not installed; fail in CI, where it has to be."""
    reason = f"{what} is not installed: run tools/install-services.sh as root"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Server:
    """A server process that can be stopped, killed and started again on the same data and port."""

    command: Sequence[str]
    folder: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file of all that the server has said."""
        return self.folder / "server.log"

    def is_running(self) -> bool:
        """Return whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def ready(self) -> bool:
        """Return whether it takes connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def start(self) -> None:
        """Start it and return when it takes connections."""
        assert not self.is_running()
        with self.log.open("ab") as log:
            # A session of its own: what it has started ends with it.
            self._process = subprocess.Popen(
                self.command,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.ready():
            if not self.is_running() or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self.command[0]} did not start:\n{self.log.read_text('utf-8', 'replace')[-4000:]}")
            time.sleep(0.1)

    def stop(self, how: signal.Signals | None = None) -> None:
        """Ask it to end, by another signal than usual if one is given, and wait for that."""
        if self._process is None:
            return
        self._process.send_signal(how or self.stop_signal)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it, and all that it has started, at once, without a word."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Let it hang: connections stay open, nothing is answered from now on."""
        os.killpg(self.pid, signal.SIGSTOP)
        await_stop(_members(self.pid))

    def thaw(self) -> None:
        """Let it go on."""
        os.killpg(self.pid, signal.SIGCONT)


def await_stop(processes: Iterable[int]) -> None:
    """Return when every thread of the `processes`, which were told to, has stopped.

    It has not until it comes to run, or back from the disk; the others may still answer.
    """
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for process in processes:
        while any(_state(thread) not in "TZX" for thread in Path(f"/proc/{process}/task").glob("*")):
            assert time.monotonic() < deadline, f"process {process} does not stop"
            time.sleep(0.001)


def _members(group: int) -> Iterator[int]:
    """Yield the processes in a process group."""
    for process in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        with suppress(ProcessLookupError):
            if os.getpgid(process) == group:
                yield process


def _state(thread: Path) -> str:
    """Return the state of a thread as /proc has it, T for one that is stopped; X when it has ended."""
    try:
        return (thread / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


class RabbitMqServer(Server):
    """Takes connections when it answers an AMQP header, not when its port is open."""

    def ready(self) -> bool:
        """Return whether it speaks AMQP 0-9-1."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
        return False


@dataclass(frozen=True)
class RabbitMq:
    """A RabbitMQ with the management plugin; `server` is None where it was given by environment."""

    url: str
    api: str
    server: RabbitMqServer | None = None

    @contextmanager
    def virtual_host(self) -> Iterator[VirtualHost]:
        """Make a virtual host for one test, and delete it again with all that is in it."""
        name = f"test-{uuid4().hex[:12]}"
        self.call("PUT", f"/api/vhosts/{name}", {})
        user = urlsplit(self.url).username or "guest"
        self.call("PUT", f"/api/permissions/{name}/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
        try:
            yield VirtualHost(self, name)
        finally:
            with suppress(OSError):
                self.call("DELETE", f"/api/vhosts/{name}")

    def call(self, method: str, path: str, body: object = None) -> object:
        """Call the management API; return what it answers."""
        parts = urlsplit(self.url)
        token = b64encode(f"{parts.username or 'guest'}:{parts.password or 'guest'}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - an address of this module or of whoever runs the tests
            self.api + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            text = answer.read()
        return json.loads(text) if text else None


@dataclass(frozen=True)
class VirtualHost:
    """A virtual host of its own for one test."""

    rabbitmq: RabbitMq
    name: str

    @property
    def url(self) -> str:
        """The AMQP URL."""
        return f"{self.rabbitmq.url.rstrip('/')}/{quote(self.name, safe='')}"

    def call(self, method: str, kind: str, rest: str = "", body: object = None) -> object:
        """Call the management API about things of `kind` (`queues`, `exchanges`, `policies`, …) in this host."""
        return self.rabbitmq.call(method, f"/api/{kind}/{self.name}{rest}", body)

    def close_connections(self) -> int:
        """Close every connection to this host from the broker's side; return how many there were."""
        found = self.rabbitmq.call("GET", f"/api/vhosts/{self.name}/connections")
        assert isinstance(found, list)
        for connection in found:
            with suppress(OSError):  # it may be gone by then
                self.rabbitmq.call("DELETE", f"/api/connections/{quote(connection['name'], safe='')}")
        return len(found)


@contextmanager
def rabbitmq(configuration: str = "", *, plugins: Sequence[str] = ("rabbitmq_management",)) -> Iterator[RabbitMq]:
    """Start a RabbitMQ with the lines of `configuration` besides the ports, and stop it again."""
    given = os.environ.get("JOINBRIDGE_TEST_AMQP_URL")
    if given is not None and not configuration:
        yield RabbitMq(given, os.environ.get("JOINBRIDGE_TEST_RABBITMQ_API", "http://127.0.0.1:15672"))
        return
    if not _RABBITMQ.exists():
        missing("RabbitMQ")
    with _folder("rabbitmq") as folder, _epmd(folder) as epmd_port:
        port, api_port, name = free_port(), free_port(), f"test-{uuid4().hex[:8]}@localhost"
        (folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{port}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {api_port}\n"
            # Its own folder is on a disk that it need not judge.
            f"disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 1GB\nlog.console = true\nlog.console.level = warning\n"
            f"{configuration}"
        )
        server = RabbitMqServer(
            command=[str(_RABBITMQ)],
            folder=folder,
            port=port,
            environment={
                "HOME": str(folder),
                "ERL_EPMD_PORT": str(epmd_port),
                "RABBITMQ_NODENAME": name,
                "RABBITMQ_NODE_PORT": str(port),
                "RABBITMQ_DIST_PORT": str(free_port()),
                "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
                "RABBITMQ_LOG_BASE": str(folder / "log"),
                "RABBITMQ_PID_FILE": str(folder / "pid"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
                "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
                # Two schedulers that sleep when there is nothing to do: the tests want the processor too.
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
            },
        )
        with _started(server):
            yield RabbitMq(f"amqp://guest:guest@127.0.0.1:{port}", f"http://127.0.0.1:{api_port}", server)


@contextmanager
def _epmd(folder: Path) -> Iterator[int]:
    """Run Erlang's port mapper on a port of its own; a broker would leave one behind on the standard port."""
    epmd = shutil.which("epmd")
    if epmd is None:
        missing("Erlang")
    port = free_port()
    (folder / "epmd").mkdir()
    with _started(Server(command=[str(epmd), "-port", str(port), "-address", "127.0.0.1"], folder=folder / "epmd", port=port)):
        yield port


@dataclass(frozen=True)
class PostgreSql:
    """A PostgreSQL; `url` is its maintenance database, without a driver (`postgresql://…`)."""

    url: str
    server: Server | None = None

    def database_url(self, name: str) -> str:
        """Return the URL of the database `name` for SQLAlchemy with asyncpg."""
        return self.url.replace("postgresql://", "postgresql+asyncpg://", 1).rsplit("/", 1)[0] + f"/{name}"


@contextmanager
def postgresql(*settings: str) -> Iterator[PostgreSql]:
    """Start a PostgreSQL with `settings` (`name=value`), and stop it again. It is fast and forgetful unless they say otherwise."""
    given = os.environ.get("JOINBRIDGE_TEST_POSTGRESQL_URL")
    if given is not None and not settings:
        yield PostgreSql(given)
        return
    if not _POSTGRESQL:
        missing("PostgreSQL")
    binaries = _POSTGRESQL[-1]
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    with _folder("postgresql", user) as folder:
        port = free_port()
        make = [str(binaries / "initdb"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D", str(folder / "data")]
        subprocess.run(make, check=True, user=user, group=user, cwd=folder, stdout=subprocess.DEVNULL)
        chosen = settings or ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
        options = ["listen_addresses=127.0.0.1", "max_connections=60", *chosen]
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
        command += [part for option in options for part in ("-c", option)]
        # SIGINT is the fast shutdown: it does not wait for clients.
        server = Server(command=command, folder=folder, port=port, user=user, stop_signal=signal.SIGINT)
        with _started(server):
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            while subprocess.run([str(binaries / "pg_isready"), "-q", "-d", url], check=False).returncode:
                time.sleep(0.1)  # the port is open before the server is
            yield PostgreSql(url, server)


@dataclass(frozen=True)
class Mosquitto:
    """A Mosquitto, without a password."""

    host: str
    port: int
    server: Server | None = None

    @property
    def url(self) -> str:
        """Its address as a URL."""
        return f"mqtt://{self.host}:{self.port}"


@contextmanager
def mosquitto(configuration: str = "") -> Iterator[Mosquitto]:
    """Start a Mosquitto with the lines of `configuration` besides the listener, and stop it again."""
    given = os.environ.get("JOINBRIDGE_TEST_MQTT_URL")
    if given is not None and not configuration:
        parts = urlsplit(given)
        yield Mosquitto(parts.hostname or "127.0.0.1", parts.port or 1883)
        return
    if _MOSQUITTO is None:
        missing("Mosquitto")
    user = "mosquitto" if os.geteuid() == 0 else None  # it changes to this user by itself, and must own its folder by then
    with _folder("mosquitto", user) as folder:
        port = free_port()
        (folder / "mosquitto.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\nautosave_interval 1\n"
            "max_inflight_messages 1000\nmax_queued_messages 0\nset_tcp_nodelay true\n"
            f"{configuration}"
        )
        server = Server(command=[str(_MOSQUITTO), "-c", str(folder / "mosquitto.conf")], folder=folder, port=port)
        with _started(server):
            yield Mosquitto("127.0.0.1", port, server)


@contextmanager
def _started(server: Server) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        server.stop()


@contextmanager
def _folder(name: str, owner: str | None = None) -> Iterator[Path]:
    """Make a folder that `owner` can reach; pytest's own are closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix=f"joinbridge-{name}-"))
    try:
        if owner is not None:
            shutil.chown(folder, owner, owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
