"""The composition root: what is put together, from which settings, and what is said when it cannot be."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from joinbridge.config import Settings
from joinbridge.core.attempt import AttemptState
from joinbridge.errors import ConfigError, StoreError
from joinbridge.inventory.memory import MemoryInventory
from joinbridge.ports import Publication
from joinbridge.service.clock import ManualClock
from joinbridge.store.schema import head_revision
from joinbridge.wiring.databases import open_audit_log, open_records, upgrade_database
from joinbridge.wiring.embedded import OUTPUT_QUEUE, embedded
from joinbridge.wiring.signers import reading
from support.home import ESME, PPMID, START
from support.messages import join_answer, join_request

UNDASHED = ESME.replace("-", "")


def sent(body: bytes, route: str, exchange: str = "dsp.sr") -> Publication:
    return Publication(key=route, exchange=exchange, route=route, body=body, content_type="application/xml", at=START)


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "joinbridge.db"


class TestEmbedded:
    async def test_messages_go_in_and_what_is_owed_comes_out(self) -> None:
        clock = ManualClock(START)
        async with embedded(Settings(), clock=clock, inventory=MemoryInventory(), database_url="sqlite://", live=True) as bridge:
            await bridge.bus.publish([sent(join_request(ESME, PPMID), "request.8.7.2"), sent(join_answer(ESME), "response.8.7.2")])
            assert await bridge.sidecar.settle() == 3

            (attempt,) = await bridge.records.attempts()
            assert attempt.state is AttemptState.SUCCEEDED
            async with bridge.bus.source(OUTPUT_QUEUE) as output:
                (event,) = await output.receive(10, timedelta(0))
            assert event.route == "join.succeeded"

    async def test_unless_it_is_not_live(self) -> None:
        clock = ManualClock(START)
        async with embedded(Settings(), clock=clock, inventory=MemoryInventory(), database_url="sqlite://", live=False) as bridge:
            await bridge.bus.publish([sent(join_request(ESME, PPMID), "request.8.7.2"), sent(join_answer(ESME), "response.8.7.2")])
            assert await bridge.sidecar.settle() == 2

            assert bridge.bus.ready(OUTPUT_QUEUE) == 0

    async def test_the_names_on_the_bus_are_those_of_the_configuration(self) -> None:
        settings = Settings.model_validate({"bus": {"service_requests": "in", "events": "told", "dead": "gone"}})
        clock = ManualClock(START)
        async with embedded(settings, clock=clock, inventory=MemoryInventory(), database_url="sqlite://", live=True) as bridge:
            await bridge.bus.publish([sent(join_request(ESME, PPMID), "request.x", "in"), sent(join_answer(ESME), "response.x", "in")])
            await bridge.sidecar.settle()

            assert bridge.bus.ready(OUTPUT_QUEUE) == 1
            assert bridge.bus.ready("gone") == 0

    async def test_records_are_kept_for_the_next_start(self, file: Path) -> None:
        for count in (1, 2):
            clock = ManualClock(START)
            async with embedded(Settings(), clock=clock, inventory=MemoryInventory(), database_url=url_of(file), live=True) as bridge:
                await bridge.bus.publish([sent(join_request(ESME, PPMID, count), "request.8.7.2")])
                await bridge.sidecar.settle()

                assert len(await bridge.records.attempts()) == count

    async def test_a_database_that_fails_is_an_error_at_once_as_nobody_else_turns_the_clock(self, file: Path) -> None:
        clock = ManualClock(START)
        async with embedded(Settings(), clock=clock, inventory=MemoryInventory(), database_url=url_of(file), live=True) as bridge:
            await bridge.bus.publish([sent(join_request(ESME, PPMID), "request.8.7.2")])
            other = sqlite3.connect(file)
            other.execute("ALTER TABLE inbox RENAME TO elsewhere")
            with pytest.raises(StoreError, match="no such table: inbox"):
                await bridge.sidecar.settle()

            other.execute("ALTER TABLE elsewhere RENAME TO inbox")
            other.close()
            assert await bridge.sidecar.settle() == 1

    async def test_a_setting_that_names_nothing_is_an_error_at_the_start(self, tmp_path: Path) -> None:
        settings = Settings.model_validate({"evidence": {"keys_dir": str(tmp_path / "keys")}})

        with pytest.raises(ConfigError, match=r"evidence\.keys_dir: .*keys is not a folder; make it, or leave the setting out"):
            async with embedded(settings, clock=ManualClock(START), inventory=MemoryInventory(), database_url="sqlite://", live=False):
                pass


class TestKeys:
    @pytest.fixture
    def key(self) -> bytes:
        return generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def settings(self, folder: Path) -> Settings:
        return Settings.model_validate({"evidence": {"keys_dir": str(folder)}})

    def test_without_a_folder_there_are_none(self) -> None:
        assert reading(Settings()).keys == {}

    def test_alert_codes_come_from_the_settings(self) -> None:
        told = reading(Settings.model_validate({"evidence": {"not_delivered_codes": ["N1"], "no_response_codes": ["N2", "N3"]}}))

        assert (told.not_delivered_codes, told.no_response_codes) == (frozenset({"N1"}), frozenset({"N2", "N3"}))

    @pytest.mark.parametrize("name", [ESME, ESME.lower(), UNDASHED, UNDASHED.lower()])
    def test_a_file_is_named_after_its_signer(self, tmp_path: Path, key: bytes, name: str) -> None:
        (tmp_path / f"{name}-ds.pem").write_bytes(key)

        assert list(reading(self.settings(tmp_path)).keys) == [ESME]

    def test_other_files_are_left_alone(self, tmp_path: Path, key: bytes) -> None:
        (tmp_path / f"{ESME}-ka.pem").write_bytes(key)
        (tmp_path / "README").write_text("keys")

        assert reading(self.settings(tmp_path)).keys == {}

    def test_a_name_that_is_no_eui64_is_an_error(self, tmp_path: Path, key: bytes) -> None:
        file = tmp_path / "my-meter-ds.pem"
        file.write_bytes(key)

        with pytest.raises(ConfigError) as refused:
            reading(self.settings(tmp_path))

        assert str(refused.value) == f"evidence.keys_dir: {file}: the name is not the EUI-64 of the signer and -ds.pem"

    def test_what_is_no_key_is_an_error(self, tmp_path: Path) -> None:
        file = tmp_path / f"{ESME}-ds.pem"
        file.write_bytes(b"no key")

        with pytest.raises(ConfigError) as refused:
            reading(self.settings(tmp_path))

        assert str(refused.value).startswith(f"evidence.keys_dir: {file}: neither a PEM certificate nor a PEM public key")

    def test_what_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        file = tmp_path / f"{ESME}-ds.pem"
        file.mkdir()

        with pytest.raises(ConfigError) as refused:
            reading(self.settings(tmp_path))

        assert str(refused.value) == f"evidence.keys_dir: {file}: cannot be read: Is a directory"


class TestOpening:
    async def test_an_upgraded_database_can_be_read(self, file: Path) -> None:
        assert await upgrade_database(url_of(file)) == (None, head_revision())
        assert await upgrade_database(url_of(file)) == (head_revision(), head_revision())

        async with open_records(url_of(file)) as records:
            assert await records.attempts() == []
        async with open_audit_log(url_of(file)) as log:
            assert (await log.verify()).sequence == 0

    async def test_one_without_a_schema_says_how_to_get_one(self, file: Path) -> None:
        sqlite3.connect(file).close()

        for opening in (open_records(url_of(file)), open_audit_log(url_of(file))):
            with pytest.raises(ConfigError, match=r"has no schema yet.*joinbridge db upgrade"):
                async with opening:
                    pass

    async def test_one_that_is_not_there_is_not_made(self, file: Path) -> None:
        for opening in (open_records(url_of(file)), open_audit_log(url_of(file))):
            with pytest.raises(StoreError, match=f"there is no database {file}"):
                async with opening:
                    pass

        assert list(file.parent.iterdir()) == []
