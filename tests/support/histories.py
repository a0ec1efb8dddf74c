"""What tests of the engine begin with, and what they ask of a world in the end."""

from __future__ import annotations

from joinbridge.core.effects import NoticeKind, NotifySupplier, UpdateInventory
from support.home import CAD, ESME, GPF, after, answered, described, gpf_log, join
from support.world import World


def corrections(world: World) -> list[bool]:
    """What the inventory was told, oldest first."""
    return [update.joined for update in world.owed(UpdateInventory)]


def notices(world: World) -> list[NoticeKind]:
    """What the supplier was told, oldest first."""
    return [notice.kind for notice in world.owed(NotifySupplier)]


def inferred_on_the_gpf() -> World:
    """A world in which the GPF's own report proved a join whose answer never came."""
    world = World()
    world.see(described(GPF, CAD))
    world.see(join(1, target=GPF))
    world.see(gpf_log(after(minutes=1), CAD), at=after(minutes=1))
    return world


def joined_by_answer() -> World:
    """A world in which a join was answered with success."""
    world = World()
    world.see(described(ESME, CAD))
    world.see(join(1, target=ESME))
    world.see(answered(1), at=after(minutes=1))
    return world
