"""The log: JSON or for people, the libraries' lines too, with the request's identity, and without what messages hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog

from joinbridge.config import Log
from joinbridge.core.effects import UpdateInventory
from joinbridge.core.ids import JoinPair
from joinbridge.observing import Correction
from joinbridge.ops.logs import STRUCK, Logging, configure, logger
from support.home import CAD, ESME, GPF, PPMID, START, request_id
from support.messages import command_failure, gpf_report, inventory_answer, join_request
from support.sidecar import a_site


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged, while the test logs as a deployed sidecar does."""
    root, own = logging.getLogger(), logging.getLogger("joinbridge")
    before = list(root.handlers), root.level, own.level
    yield io.StringIO()
    root.handlers, root.level = before[0], before[1]
    own.setLevel(before[2])
    structlog.reset_defaults()


def lines(written: io.StringIO) -> list[dict[str, Any]]:  # Any: JSON
    return [json.loads(line) for line in written.getvalue().splitlines()]


class TestLines:
    def test_an_event_is_one_line_of_json_with_its_facts(self, written: io.StringIO) -> None:
        configure(Log(), stream=written)

        logger("joinbridge.run").info("ready", mode="live", queues=["joinbridge.in"])

        (line,) = lines(written)
        assert line.pop("at").endswith("Z")
        assert line == {"event": "ready", "level": "info", "logger": "joinbridge.run", "mode": "live", "queues": ["joinbridge.in"]}

    def test_what_libraries_complain_of_is_json_too(self, written: io.StringIO) -> None:
        configure(Log(), stream=written)

        logging.getLogger("some.library").error("it %s", "broke", exc_info=ValueError("no"))

        (line,) = lines(written)
        assert (line["event"], line["logger"], line["exception"][0]["exc_type"]) == ("it broke", "some.library", "ValueError")

    def test_people_get_lines_without_colours(self, written: io.StringIO) -> None:
        configure(Log(format="console"), stream=written)

        logger("joinbridge.run").info("ready", mode="live")

        assert "ready" in written.getvalue()
        assert "mode=live" in written.getvalue()
        assert "\x1b" not in written.getvalue()

    def test_less_than_the_level_is_not_written(self, written: io.StringIO) -> None:
        configure(Log(level="warning"), stream=written)

        logger("joinbridge.run").info("ready")
        logging.getLogger("some.library").info("chatter")

        assert written.getvalue() == ""

    @pytest.mark.parametrize("field", ["body", "url", "password", "certificate", "facts"])
    def test_secrets_and_octets_are_struck_out_whoever_logs_them(self, written: io.StringIO, field: str) -> None:
        configure(Log(), stream=written)

        logger("joinbridge.run").warning("oops", **{field: b"secret" if field == "facts" else "secret"})

        (line,) = lines(written)
        assert line[field] == STRUCK
        assert "secret" not in written.getvalue()


class TestWork:
    async def test_what_becomes_of_a_request_is_logged_under_its_identity_and_no_message_is(self, written: io.StringIO) -> None:
        configure(Log(level="debug"), stream=written)
        bodies = [join_request(GPF, CAD), command_failure(request_id(1, target=GPF)), gpf_report([CAD], START), b"<not even XML"]

        async with a_site() as site:
            await site.send(inventory_answer(GPF, CAD), *bodies)
            async with site.sidecar(observer=Logging()) as running:
                await running.sidecar.settle()

        events = lines(written)
        ours = [line["event"] for line in events if line.get("request_id") == str(request_id(1, target=GPF))]
        assert ours == ["attempt_changed", "answer_lost", "success_inferred"]
        assert {line["event"] for line in events} >= {"message_dead", "pair_inferred", "inventory_corrected", "rules_refreshed"}
        for body in bodies:
            assert body.decode("latin-1")[:40] not in written.getvalue()
            assert body.hex()[:60] not in written.getvalue().lower()

    def test_a_conflict_is_an_error(self, written: io.StringIO) -> None:
        configure(Log(), stream=written)
        effect = UpdateInventory(key="k", pair=JoinPair(ESME, PPMID), joined=True, expected=False, reason="")

        Logging().corrected(effect, Correction.CONFLICT, timedelta(0))

        (line,) = lines(written)
        assert (line["event"], line["level"], line["outcome"]) == ("inventory_corrected", "error", "conflict")
