"""A crash, a cancellation or an outage between any two writes changes nothing of what comes out in the end."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from joinbridge.config import Settings
from joinbridge.core.ids import CommandKey, Eui64, JoinPair, parse_eui64
from joinbridge.core.vocabulary import AlertCode
from joinbridge.errors import JoinbridgeError
from joinbridge.ports import Publication
from joinbridge.wire.duis.parse import parse_duis
from support.crash import WRITES, Happening, Killed, Points, be_away, cancel, kill
from support.home import CAD, ESME, GPF, PPMID, SUPPLIER, after, request_id
from support.messages import (
    acknowledgement,
    device_log,
    generic_alert,
    gpf_report,
    inventory_answer,
    join_request,
    unjoin_answer,
    unjoin_request,
)
from support.sidecar import INTAKE, Running, Site, a_site

pytestmark = pytest.mark.slow

SETTINGS = Settings.model_validate({"mode": "live", "pursuit": {"max_retries": 0}})
LIMIT = 4  # messages in a batch, so that there are several
STRANGER = parse_eui64("00-11-22-33-44-55-88-01")
UNREADABLE = b"<sr:Request"

# What a crash may change: how often an effect was tried and when it was done at last; how often a dead letter was handed over.
BESIDE_THE_POINT = {"outbox": ("tries", "settled_at", "last_error"), "dead_letters": ("attempts",)}


class Story:
    """A history with every kind of write in it; it goes on where it stopped when a sidecar is gone in the middle of it.

    A join whose answer is lost is probed, proven and contradicted; another is proven by an 8071 and removed by an Unjoin.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._told = -1

    async def go_on(self, running: Running) -> None:
        """Tell the rest of the story to `running`."""
        for minutes in (0, 15, 300):
            if self._told < minutes:
                await self._site.pass_time(running, to=max(self._site.clock.now(), after(minutes=minutes)))
                self._told = minutes
                await self._tell(minutes)
        await self._site.pass_time(running, to=after(minutes=310))

    async def _tell(self, minutes: int) -> None:
        send = self._site.send
        match minutes:
            case 0:
                asked = join_request(PPMID, ESME, 1)
                await send(inventory_answer(PPMID, ESME, GPF, CAD), asked, acknowledgement(request_id(1, target=PPMID)), asked)
                await send(UNREADABLE, generic_alert(STRANGER, AlertCode.JOIN_SUCCEEDED, after()), join_request(GPF, CAD, 2))
                await send(gpf_report([CAD], after()))
            case 15:
                probe = next(parse_duis(one.body).request_id for one in self._site.published if one.route == "probe.device-log")
                assert probe is not None
                await send(device_log(probe, [ESME]), UNREADABLE, join_request(PPMID, ESME, 1))
            case 300:
                await send(device_log(CommandKey(SUPPLIER, PPMID, 500), []))
                await send(unjoin_request(GPF, CAD, 3), unjoin_answer(GPF, 3))


async def tell_whole(site: Site, points: Points) -> int:
    """Tell the story to the end, to as many sidecars as it takes; return how many were lost."""
    story, lost = Story(site), 0
    while True:
        try:
            async with site.sidecar(settings=SETTINGS, around=points.around, limit=LIMIT) as running:
                while True:
                    try:
                        await story.go_on(running)
                    except JoinbridgeError:
                        continue  # the same sidecar tries again
                    return lost
        except Killed:
            lost += 1
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            lost += 1


async def outcome(site: Site) -> Mapping[str, Any]:
    """Return all that the story leaves behind. Any: rows hold anything."""
    assert site.bus.ready(INTAKE) == site.bus.unsettled(INTAKE) == 0
    head = await site.audit.verify()
    first: dict[str, Publication] = {}
    for one in site.published:
        first.setdefault(one.key, one)
        assert content(one) == content(first[one.key]), "the same key, another effect"
    lanes: dict[str, list[str]] = {}
    for one in first.values():
        lanes.setdefault(target(one), []).append(one.key)
    return {
        "tables": await site.contents(without=BESIDE_THE_POINT),
        "audit": head,
        "inventory": {device: [change for change in site.inventory.changes if change[0].target == device] for device in (PPMID, GPF)},
        "published": {key: content(one) for key, one in first.items()},
        "order": lanes,
        "dead on the bus": site.bus.dead_letters(),
    }


def content(one: Publication) -> tuple[str, object]:
    """Return what a publication says, without the moment at which it was published."""
    if not one.body.startswith(b"{"):
        return one.route, one.body
    said = json.loads(one.body)
    return one.route, {name: value for name, value in said.items() if name != "time"}


def target(one: Publication) -> str:
    """Return the device that a publication is about."""
    devices: tuple[Eui64, ...] = (PPMID, GPF)
    return next(device for device in devices if device.encode() in one.body)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as made:
        yield made


async def undisturbed(site: Site) -> tuple[Mapping[str, Any], list[str]]:
    """Return what the story leaves behind when nothing happens, and the points it passes. Any: rows hold anything."""
    points = Points()
    assert await tell_whole(site, points) == 0
    return await outcome(site), points.passed


async def the_end_is_the_same(site: Site, happening: Happening, at: Callable[[str], bool]) -> int:
    """Tell the story once for each point that `at` chooses, and compare; return how many there were."""
    expected, passed = await undisturbed(site)
    numbers = [number for number, name in enumerate(passed, start=1) if at(name)]
    for number in numbers:
        await site.empty()
        lost = await tell_whole(site, Points(number, happening))

        where = f"{happening.__name__} at point {number}, before {passed[number - 1]}"
        assert lost == (0 if happening is be_away else 1), where
        assert await outcome(site) == expected, where
    return len(numbers)


def writes(name: str) -> bool:
    return name in WRITES


async def test_the_story_has_every_kind_of_write_in_it(site: Site) -> None:
    left, passed = await undisturbed(site)

    assert {name for name, rows in left["tables"].items() if not rows} == set()
    assert site.inventory.changes[:3] == [(JoinPair(GPF, CAD), True), (JoinPair(PPMID, ESME), True), (JoinPair(PPMID, ESME), False)]
    routes = {"join.response_lost", "probe.device-log", "notice.supplier", "join.inferred_success", "join.disputed"}
    assert {one.route for one in site.published} >= routes
    assert WRITES - set(passed) == {"postpone", "requeue", "reject"}  # which only an outage or a refusal brings about


@pytest.mark.parametrize("happening", [kill, cancel], ids=lambda happening: happening.__name__)
async def test_a_sidecar_that_is_gone_between_two_writes_changes_nothing(
    site: Site, happening: Happening, record_property: Callable[[str, object], None]
) -> None:
    count = await the_end_is_the_same(site, happening, writes)

    record_property("crash points", count)
    sys.stdout.write(f"{count} crash points\n")


async def test_a_sidecar_that_is_gone_changes_nothing_on_a_file_either(tmp_path: Path) -> None:
    async with a_site(f"sqlite:///{tmp_path / 'joinbridge.db'}") as site:
        await the_end_is_the_same(site, kill, lambda name: name in {"ack", "publish"})


async def test_whoever_is_away_for_a_moment_changes_nothing(site: Site) -> None:
    asking = {"receive", "next deadline", "next effect"}  # at which nothing has begun
    count = await the_end_is_the_same(site, be_away, lambda name: name not in asking)

    sys.stdout.write(f"{count} points\n")
