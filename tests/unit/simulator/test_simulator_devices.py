"""How devices behave: joins by each method, unjoins, log reads, counters, clocks, and the sleep of a gas meter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from joinbridge.core.ids import WireKey
from joinbridge.core.vocabulary import AlertCode, DeviceType, JoinCode, JoinRole, MessageCode, UnjoinCode
from joinbridge.simulator.devices import GSME_WAKES_EVERY, LOG_CAPACITY, Command, Device, Mishap, carry_out
from joinbridge.simulator.parties import ACB, MAKES, SUPPLIERS, device_id
from joinbridge.wire.payloads import Payload
from joinbridge.wire.payloads.join import (
    DeviceEntry,
    JoinCommand,
    JoinDetails,
    JoinResponse,
    ReadJoinDetails,
    UnjoinCommand,
    UnjoinResponse,
)

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FINE = Mishap()
USE_CASES = {
    JoinRole.METHOD_A_INITIATOR: MessageCode.CS03A1,
    JoinRole.METHOD_A_RESPONDER: MessageCode.CS03A2,
    JoinRole.METHOD_B: MessageCode.CS03B,
    JoinRole.METHOD_C: MessageCode.CS03C,
}


def device(kind: DeviceType, *, refuses_repeats: bool = False, clock_unset: bool = False) -> Device:
    return Device(
        device_id=device_id(1, kind, 0),
        device_type=kind,
        make=MAKES[kind][0],
        knows=frozenset({SUPPLIERS[0]}),
        clock_offset=timedelta(seconds=2),
        clock_unset=clock_unset,
        refuses_repeats=refuses_repeats,
        booted_at=START,
        free_at=START,
    )


def told(to: Device, payload: Payload, code: int, counter: int = 1) -> Command:
    return Command(wire=WireKey(SUPPLIERS[0], to.device_id, counter), message_code=code, payload=payload)


def join(target: Device, other: Device, role: JoinRole, *, mishap: Mishap = FINE, reachable: bool = True, certified: bool = True) -> int:
    certificate = b"\x30\x82\x00\x01\x00" if role is JoinRole.METHOD_C and certified else b""
    command = JoinCommand(role=int(role), other=other.device_id, other_type=int(other.device_type), certificate=certificate)
    answer = carry_out(target, told(target, command, USE_CASES[role]), other if reachable else None, mishap, START)
    assert isinstance(answer, JoinResponse)
    return answer.code


def unjoin(target: Device, other: Device, mishap: Mishap = FINE) -> int:
    answer = carry_out(target, told(target, UnjoinCommand(other=other.device_id), MessageCode.CS04AC), other, mishap, START)
    assert isinstance(answer, UnjoinResponse)
    return answer.code


class TestJoins:
    def test_method_b_needs_nobody_else(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)

        code = join(gsme, gpf, JoinRole.METHOD_B, reachable=False)

        assert code == JoinCode.SUCCESS
        assert gsme.log == {gpf.device_id: DeviceType.GPF}

    def test_a_method_a_initiator_needs_a_partner_that_accepts_it(self) -> None:
        esme, ppmid = device(DeviceType.ESME), device(DeviceType.PPMID)

        too_early = join(esme, ppmid, JoinRole.METHOD_A_INITIATOR)
        responder = join(ppmid, esme, JoinRole.METHOD_A_RESPONDER)
        in_turn = join(esme, ppmid, JoinRole.METHOD_A_INITIATOR)

        assert (too_early, responder, in_turn) == (JoinCode.NO_CBKE_RESPONSE, JoinCode.SUCCESS, JoinCode.SUCCESS)

    def test_a_method_a_initiator_needs_a_partner_that_can_be_reached(self) -> None:
        esme, ppmid = device(DeviceType.ESME), device(DeviceType.PPMID)

        code = join(esme, ppmid, JoinRole.METHOD_A_INITIATOR, reachable=False)

        assert code == JoinCode.NO_PARTNER_LINK_KEY
        assert esme.log == {}

    def test_a_failed_key_agreement_leaves_an_older_entry_alone(self) -> None:
        esme, ppmid = device(DeviceType.ESME), device(DeviceType.PPMID)
        join(ppmid, esme, JoinRole.METHOD_A_RESPONDER)
        join(esme, ppmid, JoinRole.METHOD_A_INITIATOR)

        code = join(esme, ppmid, JoinRole.METHOD_A_INITIATOR, reachable=False)

        assert code == JoinCode.NO_PARTNER_LINK_KEY
        assert ppmid.device_id in esme.log

    def test_method_c_needs_the_certificate(self) -> None:
        gsme, ppmid = device(DeviceType.GSME), device(DeviceType.PPMID)

        without = join(gsme, ppmid, JoinRole.METHOD_C, certified=False)
        with_it = join(gsme, ppmid, JoinRole.METHOD_C)

        assert (without, with_it) == (JoinCode.INVALID_OR_MISSING_CERTIFICATE, JoinCode.SUCCESS)

    def test_a_role_that_does_not_belong_to_the_use_case_is_refused(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)
        command = JoinCommand(role=JoinRole.METHOD_B, other=gpf.device_id, other_type=DeviceType.GPF)

        answer = carry_out(gsme, told(gsme, command, MessageCode.CS03C), gpf, FINE, START)

        assert answer == JoinResponse(code=JoinCode.INVALID_MESSAGE_CODE)

    def test_a_repeat_is_accepted(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)

        assert [join(gsme, gpf, JoinRole.METHOD_B) for _ in range(2)] == [JoinCode.SUCCESS, JoinCode.SUCCESS]

    def test_a_repeat_is_refused_by_a_device_with_the_defect(self) -> None:
        gsme, gpf = device(DeviceType.GSME, refuses_repeats=True), device(DeviceType.GPF)

        codes = [join(gsme, gpf, JoinRole.METHOD_B) for _ in range(2)]

        assert codes == [JoinCode.SUCCESS, JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY]
        assert gpf.device_id in gsme.log

    def test_an_entry_of_another_type_is_in_the_way(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)
        gsme.log[gpf.device_id] = int(DeviceType.TYPE2)

        code = join(gsme, gpf, JoinRole.METHOD_B)

        assert code == JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY
        assert gsme.log[gpf.device_id] == DeviceType.TYPE2

    def test_a_full_log_takes_no_more(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)
        gsme.log = {device_id(9, DeviceType.TYPE2, each): int(DeviceType.TYPE2) for each in range(LOG_CAPACITY)}

        assert join(gsme, gpf, JoinRole.METHOD_B) == JoinCode.DEVICE_LOG_FULL

    def test_a_mishap_fails_a_new_join_but_not_a_repeat(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)
        mishap = Mishap(join_code=JoinCode.WRITE_FAILURE)

        failed = join(gsme, gpf, JoinRole.METHOD_B, mishap=mishap)
        worked = join(gsme, gpf, JoinRole.METHOD_B)
        repeated = join(gsme, gpf, JoinRole.METHOD_B, mishap=mishap)

        assert (failed, worked, repeated) == (JoinCode.WRITE_FAILURE, JoinCode.SUCCESS, JoinCode.SUCCESS)


class TestUnjoinsAndReads:
    def test_an_unjoin_strikes_the_entry_and_a_second_one_finds_nothing(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)
        join(gsme, gpf, JoinRole.METHOD_B)

        assert [unjoin(gsme, gpf) for _ in range(2)] == [UnjoinCode.SUCCESS, UnjoinCode.NOT_IN_DEVICE_LOG]

    def test_an_unjoin_that_fails_leaves_the_entry(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)
        join(gsme, gpf, JoinRole.METHOD_B)

        code = unjoin(gsme, gpf, Mishap(unjoin_fails=True))

        assert code == UnjoinCode.OTHER_FAILURE
        assert gpf.device_id in gsme.log

    def test_a_read_lists_the_log_with_types(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)
        join(gsme, gpf, JoinRole.METHOD_B)

        answer = carry_out(gsme, told(gsme, ReadJoinDetails(), MessageCode.CS07), None, FINE, START)

        assert answer == JoinDetails(code=0, entries=(DeviceEntry(device=gpf.device_id, device_type=DeviceType.GPF),))

    def test_a_read_may_fail(self) -> None:
        gsme = device(DeviceType.GSME)

        answer = carry_out(gsme, told(gsme, ReadJoinDetails(), MessageCode.CS07), None, Mishap(read_fails=True), START)

        assert answer == JoinDetails(code=1, entries=None)

    def test_the_security_log_notes_how_each_join_and_unjoin_ended_by_the_device_clock(self) -> None:
        gsme, gpf = device(DeviceType.GSME), device(DeviceType.GPF)

        join(gsme, gpf, JoinRole.METHOD_B, mishap=Mishap(join_code=JoinCode.WRITE_FAILURE))
        join(gsme, gpf, JoinRole.METHOD_B)
        unjoin(gsme, gpf)
        unjoin(gsme, gpf)

        assert [entry.code for entry in gsme.security] == [
            AlertCode.JOIN_FAILED,
            AlertCode.JOIN_SUCCEEDED,
            AlertCode.UNJOIN_SUCCEEDED,
            AlertCode.UNJOIN_FAILED,
        ]
        assert {entry.at for entry in gsme.security} == {START + timedelta(seconds=2)}


class TestCountersAndTime:
    def test_a_counter_that_is_not_above_the_last_of_its_originator_is_refused(self) -> None:
        gsme = device(DeviceType.GSME)

        accepted = [gsme.accept(WireKey(party, gsme.device_id, counter)) for party, counter in ((SUPPLIERS[0], 5), (ACB, 3))]
        refused = [gsme.accept(WireKey(SUPPLIERS[0], gsme.device_id, counter)) for counter in (5, 4)]

        assert (accepted, refused) == ([True, True], [False, False])
        assert gsme.accept(WireKey(SUPPLIERS[0], gsme.device_id, 6))

    @pytest.mark.parametrize("wait_s", [0, 1, 900, 1799, 1800, 5000])
    def test_a_gas_meter_collects_its_messages_when_it_wakes(self, wait_s: int) -> None:
        gsme = device(DeviceType.GSME)
        gsme.wake_phase = timedelta(seconds=700)
        arrival = START + timedelta(seconds=1 + wait_s)

        ready_at = gsme.ready_at(arrival)

        assert arrival < ready_at <= arrival + GSME_WAKES_EVERY
        assert (ready_at - START - gsme.wake_phase) % GSME_WAKES_EVERY == timedelta(0)

    def test_a_gas_meter_takes_all_that_waits_when_it_wakes(self) -> None:
        gsme = device(DeviceType.GSME)
        gsme.free_at = gsme.ready_at(START + timedelta(minutes=1)) + timedelta(seconds=1)

        assert gsme.ready_at(START + timedelta(minutes=2)) == gsme.free_at

    def test_other_devices_are_always_awake_but_do_one_thing_after_another(self) -> None:
        esme = device(DeviceType.ESME)
        esme.free_at = START + timedelta(seconds=10)

        ready = [esme.ready_at(START + timedelta(seconds=wait)) for wait in (5, 20)]

        assert ready == [START + timedelta(seconds=10), START + timedelta(seconds=20)]

    def test_an_unset_clock_begins_in_2015(self) -> None:
        gsme = device(DeviceType.GSME, clock_unset=True)

        assert gsme.clock(START + timedelta(hours=1)) == datetime(2015, 1, 1, 1, tzinfo=UTC)
