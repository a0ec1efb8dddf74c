"""Which service request, use case and method goes with which pair of devices (docs/domain.md, "Pairs and service requests")."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from joinbridge.core.ids import DeviceId
from joinbridge.core.vocabulary import (
    SRV_JOIN_CRITICAL,
    SRV_JOIN_NON_CRITICAL,
    SRV_UNJOIN_CRITICAL,
    SRV_UNJOIN_NON_CRITICAL,
    DeviceType,
    Intent,
    JoinRole,
    MessageCode,
)
from joinbridge.wire.payloads.join import JoinCommand, UnjoinCommand

_CODE_BY_ROLE = {
    JoinRole.METHOD_A_INITIATOR: MessageCode.CS03A1,
    JoinRole.METHOD_A_RESPONDER: MessageCode.CS03A2,
    JoinRole.METHOD_B: MessageCode.CS03B,
    JoinRole.METHOD_C: MessageCode.CS03C,
}
_ROLE_BY_PAIR = {
    (DeviceType.ESME, DeviceType.HCALCS): JoinRole.METHOD_A_INITIATOR,
    (DeviceType.ESME, DeviceType.PPMID): JoinRole.METHOD_A_INITIATOR,
    (DeviceType.HCALCS, DeviceType.ESME): JoinRole.METHOD_A_RESPONDER,
    (DeviceType.PPMID, DeviceType.ESME): JoinRole.METHOD_A_RESPONDER,
    (DeviceType.GSME, DeviceType.PPMID): JoinRole.METHOD_C,
    (DeviceType.PPMID, DeviceType.GSME): JoinRole.METHOD_C,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPlan:
    """How one pair is joined or unjoined: the service, the use case, whether the User must sign, and whether the answer is signed."""

    srv: str
    message_code: int
    critical: bool
    signed_answer: bool
    payload: JoinCommand | UnjoinCommand


def plan_for(intent: Intent, target: DeviceType, other: DeviceType, other_id: DeviceId, octets: Random) -> JoinPlan:
    """Return how a device of type `target` is told to join or unjoin `other_id`, a device of type `other`."""
    role = _ROLE_BY_PAIR.get((target, other), JoinRole.METHOD_B)
    method_b = role is JoinRole.METHOD_B
    # A PPMID holds no Supplier credentials, so the ACB signs for it and the User need not.
    critical = not method_b and target is not DeviceType.PPMID
    if intent is Intent.UNJOIN:
        return JoinPlan(
            srv=SRV_UNJOIN_CRITICAL if critical else SRV_UNJOIN_NON_CRITICAL,
            message_code=MessageCode.CS04B if method_b else MessageCode.CS04AC,
            critical=critical,
            signed_answer=not method_b,
            payload=UnjoinCommand(other=other_id),
        )
    return JoinPlan(
        srv=SRV_JOIN_CRITICAL if critical else SRV_JOIN_NON_CRITICAL,
        message_code=_CODE_BY_ROLE[role],
        critical=critical,
        signed_answer=not method_b,
        payload=JoinCommand(
            role=int(role),
            other=other_id,
            other_type=int(other),
            certificate=_certificate(octets) if role is JoinRole.METHOD_C else b"",
        ),
    )


def _certificate(octets: Random) -> bytes:
    """Return something of the size and outer form of a key-agreement certificate: nobody on the bus looks into it."""
    body = octets.randbytes(415)
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body
