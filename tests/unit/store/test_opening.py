"""Opening a database: which URLs, and the settings that the store's promises rest on."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from joinbridge.errors import ConfigError, StoreError
from joinbridge.store.database import Database
from joinbridge.store.opening import open_database
from support.eventually import eventually

DRIVERS = ["sqlite", "sqlite+aiosqlite"]


async def settings(database: Database, *, write: bool) -> dict[str, object]:
    def ask(connection: Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "busy_timeout", "temp_store")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}

    return await (database.write(ask) if write else database.read(ask))


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_commit_is_on_the_disk_when_it_returns(driver: str, write: bool, tmp_path: Path) -> None:
    async with open_database(f"{driver}:///{tmp_path / 'a.db'}") as database:
        full, in_memory = 2, 2
        assert await settings(database, write=write) == {
            "journal_mode": "wal",
            "synchronous": full,
            "busy_timeout": 5000,
            "temp_store": in_memory,
        }


@pytest.mark.parametrize("driver", DRIVERS)
async def test_settings_can_be_given(driver: str, tmp_path: Path) -> None:
    url = f"{driver}:///{tmp_path / 'a.db'}"

    async with open_database(url, synchronous="NORMAL", busy_timeout=timedelta(seconds=1)) as database:
        assert await settings(database, write=True) == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 1000, "temp_store": 2}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"])
async def test_a_database_in_memory_is_one_database_for_writer_and_reader(url: str) -> None:
    def write(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO t VALUES (7)")

    def read(connection: Connection) -> object:
        return connection.exec_driver_sql("SELECT n FROM t").scalar_one()

    async with open_database(url) as database:
        await database.write(write)
        assert await database.read(read) == 7


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "nosuchdatabase://host/name",
        "mysql+aiomysql://host/name",
        "postgresql+nosuchdriver://host/name",
        "oracle://host",
    ],
)
async def test_a_url_that_names_no_usable_database_is_the_operators_to_mend(url: str) -> None:
    with pytest.raises(ConfigError, match="database URL"):
        async with open_database(url):
            pass


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_file_that_cannot_be_opened_is_an_error_of_the_store(driver: str, tmp_path: Path) -> None:
    threads = threading.active_count()

    with pytest.raises(StoreError, match="unable to open"):
        async with open_database(f"{driver}:///{tmp_path / 'no' / 'such' / 'folder.db'}") as database:
            await settings(database, write=True)

    # aiosqlite does not wait for the thread of a connection that it could not open, and the thread still needs the event loop.
    await eventually(lambda: threading.active_count() <= threads)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_file_that_is_no_database_is_an_error_of_the_store(driver: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, and longer than the header of one " * 100)

    with pytest.raises(StoreError, match="not a database"):
        async with open_database(f"{driver}:///{file}") as database:
            await settings(database, write=True)


async def test_a_file_that_is_not_there_is_not_made_by_whoever_only_wants_to_read(tmp_path: Path) -> None:
    file = tmp_path / "typo.db"

    with pytest.raises(StoreError, match="there is no database"):
        async with open_database(f"sqlite:///{file}", create=False):
            pass

    assert not file.exists()
