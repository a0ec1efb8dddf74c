"""The relay: carries out what the outbox owes, at least once, in order for each pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from joinbridge.core.effects import Effect, UpdateInventory
from joinbridge.errors import InventoryConflictError, InventoryError, TransportError, UnconfirmedError
from joinbridge.observing import SILENT, Correction, Observer
from joinbridge.ports import Clock, FailedTry, Inventory, Outbox, OwedEffect, Publication, Publisher
from joinbridge.service.retrying import Retrying
from joinbridge.wire.effects import Outgoing, outgoing

LEASE = timedelta(minutes=1)
"""So long what was leased is kept from other relays."""
PATIENCE = timedelta(seconds=15)
"""So long one try to correct the inventory may take."""
TRIES_IN_A_LEASE = 4
CLOCKS_APART = timedelta(seconds=5)
"""So far the clocks of two sidecars may be apart: whoever is ahead takes a lease for over before its holder does."""
FIRST_POSTPONEMENT = timedelta(seconds=5)
LAST_POSTPONEMENT = timedelta(minutes=10)
BATCH_LIMIT = 500

Headers = Callable[[Effect], Mapping[str, str]]
"""Returns what a publication of an effect carries besides its body."""


def no_headers(_: Effect) -> Mapping[str, str]:
    """Return none."""
    return {}


def lease_for(patience: timedelta) -> timedelta:
    """Return how long to lease what is owed, where one try to correct the inventory takes at most `patience`."""
    return max(LEASE, TRIES_IN_A_LEASE * patience)


class Relay:
    """Leases effects, carries them out, settles them. What fails is postponed and stays owed."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        publisher: Publisher,
        inventory: Inventory,
        clock: Clock,
        exchanges: Mapping[str, str],
        tries_at_once: int = 3,
        lease: timedelta = LEASE,
        patience: timedelta = PATIENCE,
        observer: Observer = SILENT,
        headers: Headers = no_headers,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._inventory = inventory
        self._clock = clock
        self._exchanges = exchanges
        self._retrying = Retrying(clock, tries=tries_at_once, pause_s=0.1, passes=_passes)
        self._lease = lease
        self._patience = patience
        self._observer = observer
        self._headers = headers
        self.conflicts = 0

    async def turn(self) -> int:
        """Carry out what is owed now, at most one batch; return how many effects were done.

        Raises: StoreError when the outbox cannot be reached; the leases end by themselves.
        """
        leased_at = self._clock.now()
        leased_until = leased_at + self._lease
        owed = await self._outbox.lease(leased_at, BATCH_LIMIT, self._lease)
        if not owed:
            return 0
        # Publications first: an inventory that is away takes its time to say so.
        done = await self._publish(owed, leased_until) + await self._correct(owed, leased_until)
        if done:
            now = self._clock.now()
            await self._outbox.settle([effect.key for effect in done], now, leased_until)
            self._observer.carried_out(done, now)
        return len(done)

    async def _correct(self, owed: Sequence[OwedEffect], leased_until: datetime) -> list[Effect]:
        """Carry out the updates of the inventory; once it is found to be away the rest is postponed without being tried.

        What might not be over before the lease is not begun: by then another relay may have carried it out, and what takes it back.
        """
        done: list[Effect] = []
        failed: list[tuple[OwedEffect, str]] = []
        away: str | None = None
        for one in owed:
            if not isinstance(one.effect, UpdateInventory):
                continue
            if away is not None:
                failed.append((one, away))
                continue
            if not self._is_time(leased_until):
                break  # the rest is owed again when the lease ends
            outcome, error = await self._update(one.effect, leased_until)
            self._observer.corrected(one.effect, outcome, self._clock.now() - one.since)
            if error is None:
                done.append(one.effect)
            else:
                failed.append((one, error))
            away = error if outcome is Correction.FAILED else None
        await self._postpone(failed, leased_until)
        return done

    async def _update(self, effect: UpdateInventory, leased_until: datetime) -> tuple[Correction, str | None]:
        """Return what became of an update, and why if it is not done."""
        try:
            changed = await self._retrying(self._set_joined, effect, leased_until)
        except InventoryConflictError as error:
            self.conflicts += 1
            return Correction.CONFLICT, f"conflict: {error}"
        except InventoryError as error:
            return Correction.FAILED, str(error)
        return Correction.CHANGED if changed else Correction.UNCHANGED, None

    async def _set_joined(self, effect: UpdateInventory, leased_until: datetime) -> bool:
        if not self._is_time(leased_until):
            raise InventoryError("it did not answer in time to be asked again within this lease")
        return await self._inventory.set_joined(effect.pair, joined=effect.joined, expected=effect.expected)

    def _is_time(self, leased_until: datetime) -> bool:
        return self._clock.now() + self._patience + CLOCKS_APART <= leased_until

    async def _publish(self, owed: Sequence[OwedEffect], leased_until: datetime) -> list[Effect]:
        """Publish all that is to be published; what was confirmed is done, whatever becomes of the rest."""
        now = self._clock.now()
        publications = {
            one.effect.key: self._publication(outgoing(one.effect, now), self._headers(one.effect))
            for one in owed
            if not isinstance(one.effect, UpdateInventory)
        }
        unconfirmed: Mapping[str, str] = dict.fromkeys(publications, "")

        async def publish_the_unconfirmed() -> None:
            nonlocal unconfirmed
            try:
                await self._publisher.publish([publications[key] for key in unconfirmed])
            except UnconfirmedError as error:
                unconfirmed = error.reasons
                raise
            except TransportError as error:
                unconfirmed = dict.fromkeys(unconfirmed, str(error))
                raise
            unconfirmed = {}

        if publications:
            with suppress(TransportError):  # what it says is in `unconfirmed`
                await self._retrying(publish_the_unconfirmed)
        await self._postpone([(one, unconfirmed[one.effect.key]) for one in owed if one.effect.key in unconfirmed], leased_until)
        return [one.effect for one in owed if one.effect.key in publications.keys() - unconfirmed.keys()]

    def _publication(self, message: Outgoing, headers: Mapping[str, str]) -> Publication:
        return Publication(
            key=message.key,
            exchange=self._exchanges[message.channel],
            route=message.route,
            body=message.body,
            content_type=message.content_type,
            at=self._clock.now(),
            mandatory=message.channel == "commands",  # nobody has to listen to an event
            headers=headers,
        )

    async def _postpone(self, failed: Sequence[tuple[OwedEffect, str]], leased_until: datetime) -> None:
        if not failed:
            return
        now = self._clock.now()
        tries = [FailedTry(key=owed.effect.key, until=now + _pause_after(owed.tries), error=error) for owed, error in failed]
        await self._outbox.postpone(tries, leased_until)
        for owed, error in failed:
            self._observer.postponed(owed.effect, error)


def _passes(error: BaseException) -> bool:
    return isinstance(error, InventoryError | TransportError) and not isinstance(error, InventoryConflictError)


def _pause_after(tries: int) -> timedelta:
    """Return how long an effect waits whose try failed, after `tries` that failed before."""
    doublings: int = 2 ** min(tries, 10)
    return min(LAST_POSTPONEMENT, FIRST_POSTPONEMENT * doublings)
