"""Small disks that can be filled and emptied, and a PostgreSQL whose tables and whose log lie on one each."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.deployment import run_sql
from support.services import PostgreSql, postgresql

_SIZES = (1 << 20, 1 << 12, 1)
"""A file that fills a disk is written in pieces of these sizes, one after the other, until not an octet goes in."""


@dataclass(frozen=True)
class Disk:
    """A file system of its own, in memory."""

    path: Path

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Leave no room on it."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in _SIZES:
                piece = bytes(size)
                try:
                    while ballast.write(piece) == size:
                        pass
                except OSError:
                    continue

    def empty(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(size_mb: int, owner: str) -> Iterator[Disk]:
    """Mount a file system of that size, which belongs to `owner`; skip the test where that is not allowed."""
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root may mount a small disk")
    folder = Path(tempfile.mkdtemp(prefix="joinbridge-disk-"))
    folder.chmod(0o755)
    mounted = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)], check=False, capture_output=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"this machine lets nobody mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        shutil.chown(folder, owner, owner)
        yield Disk(folder)
    finally:
        # Lazily: what still holds a file there ends later than this.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - beside mount
        folder.rmdir()


@dataclass(frozen=True)
class Cramped:
    """A PostgreSQL with little room: `tables` is the disk of its tables, `log` that of its write-ahead log."""

    server: PostgreSql
    tables: Disk
    log: Disk


@contextmanager
def cramped_postgresql(*, tables_mb: int = 256, log_mb: int = 512) -> Iterator[Cramped]:
    """Start a PostgreSQL whose databases, those that are made from now on, lie on one small disk, and its log on another."""
    with (
        small_disk(tables_mb, "postgres") as tables,
        small_disk(log_mb, "postgres") as log,
        # No file of the log is used again: each megabyte wants a new one, and finds out at once that there is no room.
        postgresql("fsync=off", "wal_keep_size=1TB") as made,
    ):
        if made.server is None:
            pytest.skip("a database that was given by environment is not moved")
        made.server.stop()
        data = made.server.folder / "data"
        resize = [str(Path(made.server.command[0]).with_name("pg_resetwal")), "--wal-segsize=1", "-D", str(data)]
        subprocess.run(resize, check=True, user="postgres", group="postgres", cwd=made.server.folder, stdout=subprocess.DEVNULL)
        subprocess.run(["cp", "-a", f"{data}/pg_wal", str(log.path)], check=True)  # noqa: S607 - it keeps the owner
        shutil.rmtree(data / "pg_wal")
        (data / "pg_wal").symlink_to(log.path / "pg_wal")
        made.server.start()
        await_questions(made)
        run_sql(made.url, f"CREATE TABLESPACE small LOCATION '{tables.path}'")
        run_sql(made.url, "ALTER DATABASE template1 SET TABLESPACE small")
        yield Cramped(made, tables, log)


def await_questions(made: PostgreSql) -> None:
    """Wait until it takes questions: its port is open before it is ready."""
    assert made.server is not None
    ready = Path(made.server.command[0]).with_name("pg_isready")
    subprocess.run(["sh", "-c", f"until {ready} -q -d {made.url}; do sleep 0.1; done"], check=True, timeout=60)  # noqa: S607 - any shell
