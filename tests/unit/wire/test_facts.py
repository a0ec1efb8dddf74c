"""What each kind of message says that may bear on a join, and that everything else says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from joinbridge.core import facts
from joinbridge.core.facts import Authenticity, DeviceDescription, Fact, LogEntry, LoggedEvent, LogKind
from joinbridge.core.ids import CommandKey, Eui64, RequestId
from joinbridge.core.vocabulary import (
    JOIN_MESSAGE_CODES,
    UNJOIN_MESSAGE_CODES,
    AlertCode,
    Cra,
    DeviceType,
    Intent,
    JoinRole,
    MessageCode,
)
from joinbridge.errors import DecodeError
from joinbridge.wire.duis import messages as duis
from joinbridge.wire.duis import requests
from joinbridge.wire.facts import Reading, Told, device_type, facts_of
from joinbridge.wire.gbcs import MAC_SIZE, SIGNATURE_SIZE, GbcsMessage, encode_gbcs, signed_bytes
from joinbridge.wire.message import Message
from joinbridge.wire.payloads import Payload, encode_payload
from joinbridge.wire.payloads.alerts import DiscardedMessage, GenericAlert, UnsupportedCommand
from joinbridge.wire.payloads.gpf import GpfLogChanged, GpfLogRestored, RestoreGpfLog
from joinbridge.wire.payloads.hub import ActiveDevice, ActiveDevices, HubEntry, HubLog, HubLogChanged, HubLogs, ReadActiveDevices
from joinbridge.wire.payloads.hub_commands import HubLogUpdated
from joinbridge.wire.payloads.join import (
    DeviceEntry,
    JoinCommand,
    JoinDetails,
    JoinResponse,
    ReadJoinDetails,
    UnjoinCommand,
    UnjoinResponse,
)
from joinbridge.wire.payloads.logs import EventLog, LoggedEntry, LogLayout
from support.home import ACB, CAD, CHF, ESME, GPF, NEW_CHF, NEW_GPF, PPMID, START, SUPPLIER

REQUEST = RequestId(SUPPLIER, ESME, 1001)
WIRE = CommandKey(ACB, ESME, 77)  # of a command that the ACB fronts
READING = Reading()

JOIN = JoinCommand(role=2, other=PPMID, other_type=5)
ENTRIES = (DeviceEntry(device=PPMID, device_type=5), DeviceEntry(device=CAD, device_type=9))
LISTED = (LogEntry(PPMID, DeviceType.PPMID), LogEntry(CAD, None))


def gbcs(
    cra: Cra,
    code: int,
    payload: Payload | bytes,
    *,
    device: Eui64 = ESME,
    remote: Eui64 = SUPPLIER,
    counter: int = 1001,
    fronted: bool = False,
    signature: bytes | None = b"",
    mac: bytes | None = bytes(MAC_SIZE),
) -> GbcsMessage:
    """Make a message between `remote` and `device`; a fronted one goes through the ACB, with its counter."""
    wire = CommandKey(ACB, device, WIRE.counter) if fronted else CommandKey(remote, device, counter)
    command = cra is Cra.COMMAND
    return GbcsMessage(
        cra=cra,
        counter=wire.counter,
        originator=wire.remote if command else wire.device,
        recipient=wire.device if command else wire.remote,
        message_code=code,
        content=payload if isinstance(payload, bytes) else encode_payload(payload),
        supplementary_party=remote if fronted else None,
        supplementary_counter=counter if fronted else None,
        signature=signature,
        mac=mac,
    )


def request(srv: str, body: requests.RequestBody, *, variant: int = 1, key: RequestId = REQUEST) -> requests.DuisRequest:
    return requests.DuisRequest(
        request_id=key, command_variant=variant, service_reference=srv[:3], service_reference_variant=srv, body=body
    )


def response(body: duis.ResponseBody, *, code: str = "I0", key: RequestId | None = REQUEST, asynchronous: bool = True) -> duis.DuisResponse:
    answered = None if key is None or not asynchronous else RequestId(key.device, key.remote, key.counter)
    return duis.DuisResponse(response_code=code, response_date_time=START, body=body, request_id=key, response_id=answered)


def service_response(srv: str, payload: duis.ResponsePayload | None) -> duis.ServiceResponse:
    return duis.ServiceResponse(service_reference=srv[:3], service_reference_variant=srv, payload=payload)


def dcc_alert(code: str, alert: duis.DccAlertBody) -> duis.DuisResponse:
    return response(duis.DccAlert(alert_code=code, alert=alert), key=None)


def said(message: Message, reading: Reading = READING) -> list[Fact]:
    return [told.fact for told in facts_of(message, reading)]


def only(message: Message, reading: Reading = READING) -> Told:
    (told,) = facts_of(message, reading)
    return told


class TestRequests:
    @pytest.mark.parametrize(
        ("srv", "body", "intent"),
        [
            ("8.7.1", requests.JoinService(other_device=PPMID, critical=True), Intent.JOIN),
            ("8.7.2", requests.JoinService(other_device=PPMID, critical=False), Intent.JOIN),
            ("8.8.1", requests.UnjoinService(other_device=PPMID, critical=True), Intent.UNJOIN),
            ("8.8.2", requests.UnjoinService(other_device=PPMID, critical=False), Intent.UNJOIN),
        ],
    )
    def test_a_join_or_unjoin_is_requested(self, srv: str, body: requests.RequestBody, intent: Intent) -> None:
        assert said(request(srv, body)) == [
            facts.JoinRequested(request_id=REQUEST, intent=intent, srv=srv, other=PPMID, submitted=True, local_only=False)
        ]

    @pytest.mark.parametrize(
        ("variant", "submitted", "local_only"),
        [(1, True, False), (2, True, True), (3, True, False), (4, False, False), (5, True, False), (6, True, True), (7, True, False)],
    )
    def test_the_command_variant_tells_whether_it_is_sent_and_how(self, variant: int, submitted: bool, local_only: bool) -> None:
        (fact,) = said(request("8.7.1", requests.JoinService(other_device=PPMID, critical=True), variant=variant))

        assert isinstance(fact, facts.JoinRequested)
        assert (fact.submitted, fact.local_only) == (submitted, local_only)

    @pytest.mark.parametrize("code", sorted(JOIN_MESSAGE_CODES))
    def test_a_signed_join_command_tells_what_the_device_is_told(self, code: int) -> None:
        command = gbcs(Cra.COMMAND, code, JOIN, signature=bytes(SIGNATURE_SIZE), mac=None)

        assert said(request("8.7.1", requests.SignedPreCommand(gbcs=encode_gbcs(command)), variant=5)) == [
            facts.JoinRequested(
                request_id=REQUEST,
                intent=Intent.JOIN,
                srv="8.7.1",
                other=PPMID,
                wire_key=REQUEST,
                role=JoinRole.METHOD_B,
                other_type=DeviceType.PPMID,
            )
        ]

    @pytest.mark.parametrize("code", sorted(UNJOIN_MESSAGE_CODES))
    def test_a_signed_unjoin_command_too(self, code: int) -> None:
        command = gbcs(Cra.COMMAND, code, UnjoinCommand(other=PPMID), signature=bytes(SIGNATURE_SIZE), mac=None)

        assert said(request("8.8.1", requests.SignedPreCommand(gbcs=encode_gbcs(command)), variant=5)) == [
            facts.JoinRequested(request_id=REQUEST, intent=Intent.UNJOIN, srv="8.8.1", other=PPMID, wire_key=REQUEST)
        ]

    def test_role_and_type_that_gbcs_does_not_have_are_unknown(self) -> None:
        command = gbcs(Cra.COMMAND, MessageCode.CS03B, JoinCommand(role=8, other=PPMID, other_type=200), mac=None)

        (fact,) = said(request("8.7.1", requests.SignedPreCommand(gbcs=encode_gbcs(command)), variant=5))

        assert isinstance(fact, facts.JoinRequested)
        assert (fact.role, fact.other_type) == (None, None)

    def test_a_signed_command_under_a_join_that_is_something_else_says_nothing(self) -> None:
        command = gbcs(Cra.COMMAND, MessageCode.CS07, ReadJoinDetails(), mac=None)

        assert said(request("8.7.1", requests.SignedPreCommand(gbcs=encode_gbcs(command)), variant=5)) == []

    def test_the_signed_command_of_another_service_is_not_looked_into(self) -> None:
        assert said(request("6.8.1", requests.SignedPreCommand(gbcs=b"not GBCS"), variant=5)) == []

    @pytest.mark.parametrize(
        ("srv", "body"),
        [
            ("8.9", requests.ReadDeviceLog()),
            ("8.11", requests.UpdateHanDeviceLog(device=PPMID, add=False)),
            ("4.1.1", requests.OtherService(element="ReadInstantaneousImportRegisters")),
        ],
    )
    def test_other_requests_say_nothing(self, srv: str, body: requests.RequestBody) -> None:
        assert said(request(srv, body)) == []


class TestResponses:
    @pytest.mark.parametrize("srv", ["8.7.1", "8.7.2", "8.8.1", "8.8.2"])
    def test_a_response_without_a_payload_acknowledges(self, srv: str) -> None:
        synchronous = response(service_response(srv, None), code="I99", asynchronous=False)
        refused = response(service_response(srv, None), code="E21")

        assert said(synchronous) == [facts.RequestAcknowledged(request_id=REQUEST, srv=srv, code="I99", asynchronous=False)]
        assert said(refused) == [facts.RequestAcknowledged(request_id=REQUEST, srv=srv, code="E21", asynchronous=True)]

    def test_one_that_names_no_request_or_no_join_says_nothing(self) -> None:
        assert said(response(service_response("8.7.2", None), key=None)) == []
        assert said(response(service_response("4.1.1", None))) == []

    def test_a_payload_says_what_the_bare_message_says(self) -> None:
        bare = gbcs(Cra.RESPONSE, MessageCode.CS03B, JoinResponse(code=0), fronted=True)

        assert said(response(service_response("8.7.2", duis.GbcsPayload(gbcs=encode_gbcs(bare))))) == said(bare) != []

    def test_a_command_for_a_hand_held_terminal_is_a_request(self) -> None:
        command = gbcs(Cra.COMMAND, MessageCode.CS03B, JOIN)

        (fact,) = said(response(service_response("8.7.2", duis.LocalCommand(gbcs=encode_gbcs(command)))))

        assert isinstance(fact, facts.JoinRequested)
        assert (fact.request_id, fact.other, fact.submitted) == (REQUEST, PPMID, True)

    def test_a_join_to_be_signed_is_not_sent_yet(self) -> None:
        command = gbcs(Cra.COMMAND, MessageCode.CS03A1, replace(JOIN, role=1), signature=None, mac=None)
        payload = duis.PreCommand(gbcs_version="4.2", gbcs=encode_gbcs(command))

        assert said(response(service_response("8.7.1", payload))) == [
            facts.PreCommandReturned(
                request_id=REQUEST,
                intent=Intent.JOIN,
                other=PPMID,
                role=JoinRole.METHOD_A_RESPONDER,
                other_type=DeviceType.PPMID,
            )
        ]

    def test_an_unjoin_to_be_signed_neither(self) -> None:
        command = gbcs(Cra.COMMAND, MessageCode.CS04AC, UnjoinCommand(other=PPMID), signature=None, mac=None)
        payload = duis.PreCommand(gbcs_version="4.2", gbcs=encode_gbcs(command))

        assert said(response(service_response("8.8.1", payload))) == [
            facts.PreCommandReturned(request_id=REQUEST, intent=Intent.UNJOIN, other=PPMID, role=None, other_type=None)
        ]

    def test_another_command_to_be_signed_or_one_for_no_request_says_nothing(self) -> None:
        other = duis.PreCommand(gbcs_version="4.2", gbcs=encode_gbcs(gbcs(Cra.COMMAND, 0x0062, b"", signature=None, mac=None)))
        join = duis.PreCommand(gbcs_version="4.2", gbcs=encode_gbcs(gbcs(Cra.COMMAND, 0x000E, JOIN, signature=None, mac=None)))

        assert said(response(service_response("6.8.1", other))) == []
        assert said(response(service_response("8.7.1", join), key=None)) == []

    def test_the_inventory_describes_devices(self) -> None:
        listing = duis.InventoryListing(
            devices=(
                duis.InventoryDevice(
                    device=ESME, device_type="ESME", manufacturer="Acme", model="M1", firmware_version="0102", csp_region="North"
                ),
                duis.InventoryDevice(device=CAD, device_type="IHD", manufacturer="Beta", model="X"),
                duis.InventoryDevice(device=PPMID, device_type="SAPC", manufacturer="Beta", model="Y"),
            )
        )

        assert said(response(service_response("8.2", listing))) == [
            facts.InventoryRead(
                descriptions=(
                    DeviceDescription(ESME, DeviceType.ESME, "Acme", "M1", "0102", "North"),
                    DeviceDescription(CAD, DeviceType.TYPE2, "Beta", "X"),
                    DeviceDescription(PPMID, None, "Beta", "Y"),
                )
            )
        ]

    def test_a_forwarded_alert_says_what_the_bare_alert_says(self) -> None:
        bare = gbcs(Cra.ALERT, MessageCode.GNCA, GenericAlert(alert_code=0x8F49, at=START))
        forwarded = response(duis.DeviceAlert(alert_code="8F49", gbcs=encode_gbcs(bare)), key=None)

        assert said(forwarded) == said(bare) != []

    @pytest.mark.parametrize(
        "body",
        [
            duis.Smets1Response(),
            service_response("8.7.2", duis.OtherPayload(element="SomethingNew")),
            service_response(
                "6.8.1",
                duis.FutureDatedAlert(alert_code="8F66", gbcs=b"not GBCS", instruction_number=1, total_command_instructions=1),
            ),
        ],
        ids=["smets1", "other payload", "future dated"],
    )
    def test_other_responses_say_nothing(self, body: duis.ResponseBody) -> None:
        assert said(response(body)) == []


class TestDccAlerts:
    @pytest.mark.parametrize(("code", "no_response"), [("N12", False), ("N13", True), ("N14", None)])
    def test_a_command_failed(self, code: str, no_response: bool | None) -> None:
        alert = dcc_alert(code, duis.CommandFailure(request_id=REQUEST, device=ESME))

        assert said(alert) == [facts.CommandFailed(request_id=REQUEST, alert_code=code, no_response=no_response)]

    def test_what_the_codes_mean_is_configuration(self) -> None:
        reading = Reading(not_delivered_codes=frozenset({"N90"}), no_response_codes=frozenset({"N91", "N90"}))

        meanings = {}
        for code in ("N90", "N91", "N12"):
            fact = only(dcc_alert(code, duis.CommandFailure(request_id=REQUEST, device=ESME)), reading).fact
            assert isinstance(fact, facts.CommandFailed)
            meanings[code] = fact.no_response

        # A code that is in both lists means the one that starts no search.
        assert meanings == {"N90": False, "N91": True, "N12": None}

    @pytest.mark.parametrize("log", ["CHFDeviceLog", "GPFDeviceLog"])
    def test_a_hub_was_exchanged(self, log: duis.RestoredLog) -> None:
        restored = duis.DeviceLogRestored(
            log=log, old_chf=CHF, new_chf=NEW_CHF, old_gpf=GPF, new_gpf=NEW_GPF, restored_date=date(2026, 3, 1)
        )

        assert said(dcc_alert("N55", restored)) == [facts.HubExchanged(old_chf=CHF, new_chf=NEW_CHF, old_gpf=GPF, new_gpf=NEW_GPF)]

    def test_a_display_was_removed(self) -> None:
        assert said(dcc_alert("N60", duis.PpmidRemoval(ppmid=PPMID, chf=CHF))) == [facts.DeviceRetired(device=PPMID, reason="PPMIDRemoval")]

    @pytest.mark.parametrize("change", ["MeterDecommissioningOrWithdrawal", "DeviceRemovedFromInventory", "CHFDecommissioning"])
    def test_a_device_left_with_those_that_go_with_it(self, change: str) -> None:
        associated = (duis.AssociatedDevice(device=PPMID, device_type="PPMID"),)

        assert said(dcc_alert("N1", duis.DeviceStatusChange(device=ESME, change=change, associated=associated))) == [
            facts.DeviceRetired(device=ESME, reason=change),
            facts.DeviceRetired(device=PPMID, reason=change),
        ]

    @pytest.mark.parametrize("change", ["MeterIdentity", "DeviceSuspended", "DeviceRestored", "RecoveryComplete"])
    def test_other_changes_of_status_say_nothing(self, change: str) -> None:
        assert said(dcc_alert("N1", duis.DeviceStatusChange(device=ESME, change=change))) == []

    @pytest.mark.parametrize(("cra", "meant"), [("Command", Cra.COMMAND), ("Response", Cra.RESPONSE)])
    def test_a_hub_dropped_a_message(self, cra: duis.CraFlag, meant: Cra) -> None:
        discarded = duis.DiscardedDuisMessage(request_id=REQUEST, cra=cra, chf=CHF, device_alert_code="8F2C")

        assert said(dcc_alert("N58", discarded)) == [facts.MessageDiscarded(key=REQUEST, cra=meant)]

    @pytest.mark.parametrize(
        "alert",
        [
            duis.DiscardedDuisMessage(request_id=REQUEST, cra="Alert", chf=CHF, device_alert_code="8F2C"),
            duis.UpdateHanDeviceLogResult(request_id=REQUEST),
            duis.OtherDccAlert(element="FirmwareDistributionDeviceAlert"),
        ],
        ids=["dropped alert", "8.11", "other"],
    )
    def test_other_alerts_say_nothing(self, alert: duis.DccAlertBody) -> None:
        assert said(dcc_alert("N24", alert)) == []


class TestCommands:
    def test_a_join_on_the_wire_is_a_request_under_the_users_own_key(self) -> None:
        assert said(gbcs(Cra.COMMAND, MessageCode.CS03B, JOIN, fronted=True)) == [
            facts.JoinRequested(
                request_id=REQUEST,
                intent=Intent.JOIN,
                srv=None,
                other=PPMID,
                submitted=True,
                wire_key=WIRE,
                role=JoinRole.METHOD_B,
                other_type=DeviceType.PPMID,
            )
        ]

    def test_an_unjoin_too(self) -> None:
        assert said(gbcs(Cra.COMMAND, MessageCode.CS04B, UnjoinCommand(other=PPMID))) == [
            facts.JoinRequested(request_id=REQUEST, intent=Intent.UNJOIN, srv=None, other=PPMID, submitted=True, wire_key=REQUEST)
        ]

    @pytest.mark.parametrize(
        ("signature", "mac", "submitted"),
        [(b"", bytes(MAC_SIZE), True), (bytes(SIGNATURE_SIZE), None, True), (b"", None, False), (None, None, False)],
        ids=["MAC", "signed", "neither", "pre-command"],
    )
    def test_without_a_signature_or_a_mac_it_goes_nowhere(self, signature: bytes | None, mac: bytes | None, submitted: bool) -> None:
        (fact,) = said(gbcs(Cra.COMMAND, MessageCode.CS03B, JOIN, signature=signature, mac=mac))

        assert isinstance(fact, facts.JoinRequested)
        assert fact.submitted is submitted

    @pytest.mark.parametrize(
        ("code", "payload"),
        [
            (MessageCode.CS07, ReadJoinDetails()),
            (MessageCode.CCS06, ReadActiveDevices()),
            (MessageCode.GCS59, RestoreGpfLog(entries=ENTRIES)),
            (0x0062, b"anything"),
        ],
    )
    def test_other_commands_say_nothing(self, code: int, payload: Payload | bytes) -> None:
        assert said(gbcs(Cra.COMMAND, code, payload)) == []


class TestAnswers:
    @pytest.mark.parametrize("code", [*sorted(JOIN_MESSAGE_CODES), *sorted(UNJOIN_MESSAGE_CODES)])
    @pytest.mark.parametrize("number", [0, 3, 200])
    def test_a_join_or_unjoin_was_answered(self, code: int, number: int) -> None:
        join = code in JOIN_MESSAGE_CODES
        payload = JoinResponse(code=number) if join else UnjoinResponse(code=number)

        assert said(gbcs(Cra.RESPONSE, code, payload, fronted=True)) == [
            facts.JoinAnswered(
                business_key=REQUEST,
                wire_key=WIRE,
                intent=Intent.JOIN if join else Intent.UNJOIN,
                code=number,
                message_code=code,
            )
        ]

    @pytest.mark.parametrize(
        ("details", "entries"),
        [
            (JoinDetails(code=0, entries=ENTRIES), LISTED),
            (JoinDetails(code=0, entries=()), ()),
            (JoinDetails(code=1, entries=None), None),
            (JoinDetails(code=1, entries=ENTRIES), None),
            (JoinDetails(code=0, entries=None), None),
        ],
        ids=["listed", "empty", "failed", "failed with entries", "nothing said"],
    )
    def test_a_device_log_was_read(self, details: JoinDetails, entries: tuple[LogEntry, ...] | None) -> None:
        assert said(gbcs(Cra.RESPONSE, MessageCode.CS07, details, fronted=True)) == [
            facts.DeviceLogRead(business_key=REQUEST, wire_key=WIRE, entries=entries)
        ]

    def test_a_gas_proxy_restored_its_log(self) -> None:
        payload = GpfLogRestored(results=((ENTRIES[0], 0), (ENTRIES[1], 4)))

        assert said(gbcs(Cra.RESPONSE, MessageCode.GCS59, payload)) == [
            facts.GpfLogRestored(business_key=REQUEST, wire_key=REQUEST, results=((LISTED[0], 0), (LISTED[1], 4)))
        ]

    def test_a_hub_listed_its_whitelist(self) -> None:
        log = HubLog(
            backup_time=START,
            extended_pan_id=bytes(8),
            entries=(HubEntry(device=PPMID, link_key_hash=bytes(16)), HubEntry(device=CAD, link_key_hash=b"")),
        )
        old = replace(log, entries=())

        told = said(gbcs(Cra.RESPONSE, MessageCode.CCS07, HubLogs(current=log, historic=old), device=CHF))

        assert told == [facts.HubLogReported(device=CHF, device_time=START, entries=((PPMID, True), (CAD, False)))]

    def test_a_hub_that_gave_no_current_list_says_nothing(self) -> None:
        assert said(gbcs(Cra.RESPONSE, MessageCode.CCS07, HubLogs(current=None, historic=None, current_result=3), device=CHF)) == []

    @pytest.mark.parametrize("code", [MessageCode.CCS05_CCS04, MessageCode.CCS06])
    def test_a_hub_listed_whom_it_hears(self, code: int) -> None:
        heard = ActiveDevices(entries=(_active(PPMID, START), _active(CAD, None)))

        assert said(gbcs(Cra.RESPONSE, code, heard, device=CHF)) == [
            facts.HubActivityRead(device=CHF, entries=((PPMID, START), (CAD, None)))
        ]

    def test_a_hub_that_listed_nobody_says_nothing(self) -> None:
        assert said(gbcs(Cra.RESPONSE, MessageCode.CCS06, ActiveDevices(entries=None, result=1), device=CHF)) == []

    @pytest.mark.parametrize(("code", "kind"), [(MessageCode.ECS35B, LogKind.SECURITY), (MessageCode.ECS35C, LogKind.EVENT)])
    def test_a_log_was_read(self, code: int, kind: LogKind) -> None:
        log = EventLog(kind=kind, layout=LogLayout.DLMS_SHORT, entries=(LoggedEntry(at=START, code=0x8F49),))

        assert said(gbcs(Cra.RESPONSE, code, log, fronted=True)) == [
            facts.EventLogRead(business_key=REQUEST, wire_key=WIRE, kind=kind, entries=(LoggedEvent(START, 0x8F49, None),))
        ]

    @pytest.mark.parametrize(("other_info", "command_code"), [(b"\x01\x16", 0x0116), (b"", None), (b"\x16", None), (b"\x00\x01\x16", None)])
    def test_two_octets_beside_an_entry_are_the_code_of_a_command(self, other_info: bytes, command_code: int | None) -> None:
        entry = LoggedEntry(at=START, code=0x8154, other_info=other_info)
        log = EventLog(kind=LogKind.EVENT, layout=LogLayout.DLMS_LONG, entries=(entry,))

        (fact,) = said(gbcs(Cra.RESPONSE, MessageCode.ECS35A, log))

        assert isinstance(fact, facts.EventLogRead)
        assert [logged.command_code for logged in fact.entries] == [command_code]

    def test_a_log_that_was_not_given_says_nothing(self) -> None:
        log = EventLog(kind=LogKind.SECURITY, layout=LogLayout.DLMS_SHORT, entries=None, result=3)

        assert said(gbcs(Cra.RESPONSE, MessageCode.ECS35B, log)) == []

    @pytest.mark.parametrize(("code", "payload"), [(MessageCode.CCS01, HubLogUpdated(results=(0, 0, 0))), (0x0062, b"anything")])
    def test_other_answers_say_nothing(self, code: int, payload: Payload | bytes) -> None:
        assert said(gbcs(Cra.RESPONSE, code, payload, device=CHF)) == []


class TestAlerts:
    def test_a_gas_proxy_reports_its_log(self) -> None:
        report = GpfLogChanged(alert_code=0x8071, at=START, entries=ENTRIES)

        assert said(gbcs(Cra.ALERT, MessageCode.GCS62, report, device=GPF)) == [
            facts.GpfLogReported(device=GPF, device_time=START, entries=LISTED)
        ]

    def test_a_hub_reports_its_whitelist(self) -> None:
        report = HubLogChanged(
            alert_code=0x8F12,
            at=START,
            backup_time=START,
            extended_pan_id=bytes(8),
            entries=(HubEntry(device=PPMID, link_key_hash=b""), HubEntry(device=ESME, link_key_hash=bytes(16))),
        )

        assert said(gbcs(Cra.ALERT, MessageCode.CS14, report, device=CHF)) == [
            facts.HubLogReported(device=CHF, device_time=START, entries=((PPMID, False), (ESME, True)))
        ]

    @pytest.mark.parametrize("profile", ["dlms", "zigbee"])
    def test_a_generic_alert_is_a_code_and_a_time(self, profile: str) -> None:
        payload = GenericAlert(alert_code=AlertCode.JOIN_SUCCEEDED, at=START, profile="zigbee" if profile == "zigbee" else "dlms")

        assert said(gbcs(Cra.ALERT, MessageCode.GCA, payload)) == [
            facts.DeviceAlerted(device=ESME, code=AlertCode.JOIN_SUCCEEDED, device_time=START)
        ]

    def test_a_hub_dropped_a_command(self) -> None:
        assert said(quoting(AlertCode.MESSAGE_DISCARDED, Cra.COMMAND)) == [facts.MessageDiscarded(key=WIRE, cra=Cra.COMMAND)]

    def test_of_a_dropped_response_both_orders_of_the_ids_are_given(self) -> None:
        turned = CommandKey(ESME, ACB, WIRE.counter)

        assert said(quoting(AlertCode.MESSAGE_DISCARDED, Cra.RESPONSE)) == [
            facts.MessageDiscarded(key=turned, cra=Cra.RESPONSE),
            facts.MessageDiscarded(key=WIRE, cra=Cra.RESPONSE),
        ]

    @pytest.mark.parametrize("cra", [0, Cra.ALERT, 200])
    def test_a_dropped_alert_says_nothing(self, cra: int) -> None:
        assert said(quoting(AlertCode.MESSAGE_DISCARDED, cra)) == []

    def test_a_command_could_not_be_delivered(self) -> None:
        assert said(quoting(AlertCode.NOT_DELIVERED_TO_ESME, Cra.COMMAND, code=MessageCode.ALERT_8F84)) == [
            facts.CommandNotExecuted(key=WIRE, alert_code=AlertCode.NOT_DELIVERED_TO_ESME)
        ]

    def test_a_command_is_not_supported(self) -> None:
        assert said(unsupported()) == [
            facts.CommandNotExecuted(
                key=CommandKey(SUPPLIER, ESME, 9), alert_code=AlertCode.COMMAND_NOT_SUPPORTED, message_code=MessageCode.CS03B
            )
        ]

    def test_whose_command_the_unsupported_one_was_is_not_said_when_a_supplementary_party_is_named(self) -> None:
        told = said(replace(unsupported(), recipient=ACB, supplementary_party=SUPPLIER))

        assert told == [
            facts.CommandNotExecuted(key=CommandKey(remote, ESME, 9), alert_code=0x8F85, message_code=MessageCode.CS03B)
            for remote in (ACB, SUPPLIER)
        ]

    def test_an_alert_without_any_known_form_says_nothing(self) -> None:
        assert said(gbcs(Cra.ALERT, 0x0062, b"anything")) == []


def quoting(alert_code: int, cra: int, *, code: int = MessageCode.DBCH10) -> GbcsMessage:
    payload = DiscardedMessage(alert_code=alert_code, at=START, originator=ACB, target=ESME, cra=cra, counter=WIRE.counter)
    return gbcs(Cra.ALERT, code, payload, device=CHF)


def unsupported() -> GbcsMessage:
    payload = UnsupportedCommand(alert_code=AlertCode.COMMAND_NOT_SUPPORTED, at=START, message_code=MessageCode.CS03B, counter=9)
    return gbcs(Cra.ALERT, MessageCode.ECS100, payload)


def _active(device: Eui64, last: datetime | None) -> ActiveDevice:
    return ActiveDevice(
        device=device,
        status=0,
        rssi_max=-40,
        rssi_average=-50,
        rssi_min=-60,
        lqi_max=200,
        lqi_average=150,
        lqi_min=100,
        last_communication=last,
        hops=1,
        transmission_failures=0,
        transmission_successes=9,
        application_version=1,
        stack_version=2,
    )


@pytest.fixture(scope="module")
def key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


class TestAuthenticity:
    def signed(self, key: EllipticCurvePrivateKey, payload: Payload | bytes = b"", code: int = MessageCode.CS03B) -> GbcsMessage:
        message = gbcs(Cra.RESPONSE, code, payload or JoinResponse(code=0), mac=None)
        r, s = decode_dss_signature(key.sign(signed_bytes(message), ECDSA(SHA256())))
        return replace(message, signature=r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def handed_in(self, message: GbcsMessage) -> requests.DuisRequest:
        body = requests.ReturnLocalCommandResponse(gbcs=encode_gbcs(message))
        return request("8.13", body, key=RequestId(SUPPLIER, ESME, 5))

    def test_a_signature_that_verifies_proves_who_made_it(self, key: EllipticCurvePrivateKey) -> None:
        told = only(self.signed(key), Reading(keys={ESME: key.public_key()}))

        assert told.authenticity is Authenticity.VERIFIED

    def test_without_the_signers_key_it_is_as_good_as_its_channel(self, key: EllipticCurvePrivateKey) -> None:
        assert only(self.signed(key)).authenticity is Authenticity.CHANNEL
        assert only(self.signed(key), Reading(keys={GPF: key.public_key()})).authenticity is Authenticity.CHANNEL

    def test_without_a_signature_too(self, key: EllipticCurvePrivateKey) -> None:
        unsigned = gbcs(Cra.RESPONSE, MessageCode.CS03B, JoinResponse(code=0))

        assert only(unsigned, Reading(keys={ESME: key.public_key()})).authenticity is Authenticity.CHANNEL

    def test_a_signature_of_somebody_else_is_an_error(self, key: EllipticCurvePrivateKey) -> None:
        other = generate_private_key(SECP256R1()).public_key()
        message = self.signed(key)

        with pytest.raises(DecodeError) as refused:
            facts_of(message, Reading(keys={ESME: other}))

        assert refused.value.reason == f"the signature is not that of {ESME}"
        assert refused.value.offset == message.content_offset + len(message.content)

    def test_a_message_that_says_nothing_need_not_be_authentic(self, key: EllipticCurvePrivateKey) -> None:
        message = self.signed(key, b"anything", 0x0062)

        assert facts_of(replace(message, counter=2), Reading(keys={ESME: key.public_key()})) == ()

    def test_what_a_user_hands_in_is_the_users_word(self) -> None:
        answer = gbcs(Cra.RESPONSE, MessageCode.CS03B, JoinResponse(code=0), fronted=True)

        assert facts_of(self.handed_in(answer), READING) == (
            Told(
                fact=facts.JoinAnswered(business_key=REQUEST, wire_key=WIRE, intent=Intent.JOIN, code=0, message_code=MessageCode.CS03B),
                authenticity=Authenticity.USER_SUPPLIED,
            ),
        )

    def test_unless_the_device_has_signed_it(self, key: EllipticCurvePrivateKey) -> None:
        told = only(self.handed_in(self.signed(key)), Reading(keys={ESME: key.public_key()}))

        assert told.authenticity is Authenticity.VERIFIED

    def test_a_forged_signature_in_what_a_user_hands_in_is_an_error(self, key: EllipticCurvePrivateKey) -> None:
        forged = replace(self.signed(key), signature=bytes(range(64)))

        with pytest.raises(DecodeError, match="in the GBCS payload: the signature is not that of"):
            facts_of(self.handed_in(forged), Reading(keys={ESME: key.public_key()}))


class TestMalformed:
    @pytest.mark.parametrize(
        "holder",
        [
            request("8.7.1", requests.SignedPreCommand(gbcs=b"\xdd\x00"), variant=5),
            request("8.13", requests.ReturnLocalCommandResponse(gbcs=b"\xdd\x00")),
            response(service_response("8.7.2", duis.GbcsPayload(gbcs=b"\xdd\x00"))),
            response(service_response("8.7.2", duis.LocalCommand(gbcs=b"\xdd\x00"))),
            response(service_response("8.7.1", duis.PreCommand(gbcs_version="4.2", gbcs=b"\xdd\x00"))),
            response(duis.DeviceAlert(alert_code="8F49", gbcs=b"\xdd\x00"), key=None),
        ],
        ids=["signed", "handed in", "payload", "local", "pre-command", "alert"],
    )
    def test_an_envelope_inside_a_document_is_an_error_that_says_where(self, holder: Message) -> None:
        with pytest.raises(DecodeError) as refused:
            facts_of(holder, READING)

        assert refused.value.reason.startswith("in the GBCS payload: ")

    def test_a_payload_in_it_too(self) -> None:
        broken = encode_gbcs(gbcs(Cra.RESPONSE, MessageCode.CS03B, b"\x04\x00"))

        with pytest.raises(DecodeError, match="in the GBCS payload: "):
            facts_of(response(service_response("8.7.2", duis.GbcsPayload(gbcs=broken))), READING)

    def test_in_a_bare_message_it_is_an_error_of_that(self) -> None:
        with pytest.raises(DecodeError) as refused:
            facts_of(gbcs(Cra.RESPONSE, MessageCode.CS03B, b"\x04\x00"), READING)

        assert not refused.value.reason.startswith("in the GBCS payload: ")


def test_numbers_of_device_types_are_those_of_gbcs() -> None:
    assert [device_type(number) for number in range(7)] == list(DeviceType)
    assert device_type(7) is None


def test_whatever_is_said_names_its_device_or_several() -> None:
    told: Sequence[Fact] = [
        *said(unsupported()),
        *said(gbcs(Cra.RESPONSE, MessageCode.CS03B, JoinResponse(code=0))),
        *said(dcc_alert("N60", duis.PpmidRemoval(ppmid=PPMID, chf=CHF))),
    ]

    assert [fact.device for fact in told] == [ESME, ESME, PPMID]
