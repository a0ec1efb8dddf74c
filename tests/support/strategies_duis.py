"""Hypothesis strategies for DUIS values that are valid by the DUIS XSD 5.4 and can be written."""

from __future__ import annotations

from datetime import UTC

from hypothesis import strategies as st

from joinbridge.core.ids import COUNTER_MAX, DeviceId, RequestId, eui64_from_bytes
from joinbridge.wire.duis.messages import (
    AssociatedDevice,
    CommandFailure,
    DccAlert,
    DccAlertBody,
    DeviceAlert,
    DeviceLogRestored,
    DeviceStatusChange,
    DiscardedDuisMessage,
    DuisDocument,
    DuisResponse,
    FutureDatedAlert,
    GbcsPayload,
    InventoryDevice,
    InventoryListing,
    LocalCommand,
    PpmidRemoval,
    PreCommand,
    ResponseBody,
    ResponsePayload,
    ServiceResponse,
    Smets1Response,
    UpdateHanDeviceLogResult,
)
from joinbridge.wire.duis.requests import (
    CommissionDevice,
    DecommissionDevice,
    DuisRequest,
    JoinService,
    OtherService,
    ReadDeviceLog,
    ReadEventOrSecurityLog,
    ReadInventory,
    RequestBody,
    RestoreGpfDeviceLog,
    RestoreHanDeviceLog,
    ReturnLocalCommandResponse,
    SignedPreCommand,
    UnjoinService,
    UpdateHanDeviceLog,
    WhitelistDetails,
)

device_ids: st.SearchStrategy[DeviceId] = st.binary(min_size=8, max_size=8).map(eui64_from_bytes)
request_ids = st.builds(RequestId, remote=device_ids, device=device_ids, counter=st.integers(0, COUNTER_MAX))
times = st.datetimes(timezones=st.just(UTC))
gbcs = st.binary(max_size=700)
unsigned_ints = st.integers(0, 2**32 - 1)
alert_codes = st.binary(min_size=2, max_size=2).map(lambda octets: octets.hex().upper())
device_types = st.sampled_from(["ESME", "GSME", "GPF", "CHF", "HCALCS", "PPMID", "IHD", "CAD"])
meter_points = st.text("0123456789", min_size=13, max_size=13)


def texts(max_size: int) -> st.SearchStrategy[str]:
    """Texts as the parser gives them: any character of XML, and no white space around."""
    characters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
    return st.text(characters | st.sampled_from("\t\r\n&<>\"'];"), max_size=max_size).map(lambda t: t.strip(" \t\r\n"))


def _optional(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | strategy


# Services whose element may be empty.
EMPTY_SERVICES = (
    "ReadInstantaneousImportRegisters",
    "ReadTariffPrimaryElement",
    "ReadSupplyStatus",
    "ReadMeterBalance",
    "EnableSupply",
    "DisableSupply",
    "ArmSupply",
)

_whitelists = st.builds(
    WhitelistDetails,
    join_time_period_s=st.integers(1, 3600),
    install_code=st.binary(min_size=6, max_size=16),
    import_mpxn=_optional(meter_points),
    secondary_import_mpan=_optional(meter_points),
    export_mpan=_optional(meter_points),
)
_inventory_reads = st.one_of(
    st.builds(ReadInventory, device=device_ids),
    st.builds(ReadInventory, uprn=st.integers(1, 10**12 - 1).map(str)),
    st.builds(ReadInventory, mpxn=meter_points),
    st.builds(
        ReadInventory,
        post_code=st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=6, max_size=8),
        address_identifier=texts(30),
    ),
)
services: st.SearchStrategy[RequestBody] = st.one_of(
    st.builds(JoinService, other_device=device_ids, critical=st.booleans()),
    st.builds(UnjoinService, other_device=device_ids, critical=st.booleans()),
    st.builds(SignedPreCommand, gbcs=gbcs, execution_date_time=st.none() | times),
    st.builds(ReadDeviceLog, read_security_details=st.booleans(), execution_date_time=st.none() | times),
    st.builds(
        UpdateHanDeviceLog,
        device=device_ids,
        add=st.booleans(),
        whitelist=st.none() | _whitelists,
        execution_date_time=st.none() | times,
    ),
    st.builds(RestoreHanDeviceLog, old_chf=device_ids),
    st.builds(RestoreGpfDeviceLog, old_gpf=device_ids),
    st.builds(ReturnLocalCommandResponse, gbcs=gbcs, original_request_id=st.none() | request_ids),
    st.builds(CommissionDevice, current_date_time=times, tolerance_period_s=st.integers(0, 86400)),
    _inventory_reads,
    st.builds(DecommissionDevice, device=device_ids),
    st.builds(
        ReadEventOrSecurityLog,
        log=st.sampled_from(["Event", "ALCSEvent", "PowerEvent", "Security", "GSMEEvent", "GSMESecurity"]),
        start=times,
        end=times,
    ),
    st.builds(OtherService, element=st.sampled_from(EMPTY_SERVICES)),
)
_variants = st.sampled_from(["8.7.1", "8.7.2", "8.8.1", "8.8.2", "8.9", "8.11", "8.12.1", "8.13", "6.13", "11.2", "4.1.1"])


@st.composite
def requests(draw: st.DrawFn) -> DuisRequest:
    """Requests with any header around any service."""
    variant = draw(_variants)
    return DuisRequest(
        request_id=draw(request_ids),
        command_variant=draw(st.integers(1, 9)),
        service_reference=".".join(variant.split(".")[:2]),
        service_reference_variant=variant,
        body=draw(services),
        schema_version=draw(st.sampled_from(["5.4", "5.0", "6"])),
        first_in_sequence=draw(st.none() | st.booleans()),
        preceding_request_id=draw(st.none() | request_ids),
    )


_inventory_devices = st.builds(
    InventoryDevice,
    device=device_ids,
    device_type=device_types,
    manufacturer=texts(30),
    model=texts(30),
    device_status=st.none() | st.sampled_from(["Pending", "Whitelisted", "Commissioned", "Suspended"]),
    smets_chts_version=st.none() | st.sampled_from(["SMETS2 V4.2", "CHTS V1.4"]),
    firmware_version=st.none() | st.text("0123456789ABCDEF", min_size=1, max_size=8),
    csp_region=st.none() | st.sampled_from(["North", "4G Central", "Unknown"]),
    gbcs_version=_optional(texts(10)),
    han_variant=_optional(texts(10)),
    connectivity=st.none() | st.sampled_from(["Cellular", "Virtual"]),
)
payloads: st.SearchStrategy[ResponsePayload] = st.one_of(
    st.builds(GbcsPayload, gbcs=gbcs),
    st.builds(LocalCommand, gbcs=gbcs),
    st.builds(PreCommand, gbcs_version=texts(10), gbcs=gbcs),
    st.builds(
        FutureDatedAlert,
        alert_code=st.sampled_from(["8F66", "8F67"]),
        gbcs=gbcs,
        instruction_number=st.integers(0, 2**16 - 1),
        total_command_instructions=st.integers(0, 2**16 - 1),
    ),
    st.builds(InventoryListing, devices=st.lists(_inventory_devices, min_size=1, max_size=17).map(tuple)),
)


@st.composite
def _service_responses(draw: st.DrawFn) -> ServiceResponse:
    variant = draw(_variants)
    return ServiceResponse(
        service_reference=".".join(variant.split(".")[:2]),
        service_reference_variant=variant,
        payload=draw(st.none() | payloads),
    )


_associated_devices = st.builds(AssociatedDevice, device=device_ids, device_type=device_types)
_status_changes = st.one_of(
    st.builds(
        DeviceStatusChange,
        device=device_ids,
        change=st.sampled_from(
            ["DeviceRemovedFromInventory", "CHFDecommissioning", "DeviceSuspended", "DeviceRestored", "RecoveryComplete"]
        ),
    ),
    st.builds(DeviceStatusChange, device=device_ids, change=st.just("MeterIdentity"), import_mpxn=meter_points),
    st.builds(
        DeviceStatusChange,
        device=device_ids,
        change=st.just("MeterDecommissioningOrWithdrawal"),
        import_mpxn=meter_points,
        associated=st.lists(_associated_devices, max_size=7).map(tuple),
    ),
)
dcc_alert_bodies: st.SearchStrategy[DccAlertBody] = st.one_of(
    st.builds(CommandFailure, request_id=request_ids, device=device_ids, dsp_schedule_id=st.none() | st.integers(0, 10**12)),
    st.builds(UpdateHanDeviceLogResult, request_id=request_ids),
    st.builds(
        DeviceLogRestored,
        log=st.sampled_from(["CHFDeviceLog", "GPFDeviceLog"]),
        old_chf=device_ids,
        new_chf=device_ids,
        old_gpf=device_ids,
        new_gpf=device_ids,
        restored_date=st.dates(),
    ),
    st.builds(PpmidRemoval, ppmid=device_ids, chf=device_ids),
    st.builds(
        DiscardedDuisMessage,
        request_id=request_ids,
        cra=st.sampled_from(["Command", "Response", "Alert"]),
        chf=device_ids,
        device_alert_code=alert_codes,
        message_code=_optional(alert_codes),
    ),
    _status_changes,
)
response_bodies: st.SearchStrategy[ResponseBody] = st.one_of(
    _service_responses(),
    st.builds(
        DeviceAlert,
        alert_code=alert_codes,
        gbcs=gbcs,
        throttled_alert_sequence_id=st.none() | unsigned_ints,
        throttled_alert_count=st.none() | unsigned_ints,
    ),
    st.builds(
        DccAlert,
        alert_code=st.sampled_from(["AD1", "N12", "N13", "N24", "N54", "N999"]),
        alert=dcc_alert_bodies,
        throttled_alert_sequence_id=st.none() | unsigned_ints,
        throttled_alert_count=st.none() | unsigned_ints,
    ),
    st.just(Smets1Response()),
)
responses = st.builds(
    DuisResponse,
    response_code=st.sampled_from(["I0", "I99", "E5", "E20", "E21", "E080801", "W081401"]),
    response_date_time=times,
    body=response_bodies,
    request_id=st.none() | request_ids,
    response_id=st.none() | request_ids,
    schema_version=st.sampled_from(["5.4", "5.1"]),
)
documents: st.SearchStrategy[DuisDocument] = requests() | responses
