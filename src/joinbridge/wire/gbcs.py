"""The GBCS envelope: the layout around every remote-party message (docs/domain.md, "GBCS messages")."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import NoReturn

from joinbridge.core.ids import BusinessKey, DeviceId, Eui64, WireKey, eui64_to_bytes
from joinbridge.core.vocabulary import Cra
from joinbridge.errors import DecodeError
from joinbridge.wire.reader import read_length, write_length

MAC_SIZE = 12  # AES-128-GCM tag, truncated (GBCS: the MAC of a general-ciphering APDU)
SIGNATURE_SIZE = 64  # r and s of ECDSA over P-256, 32 octets each
DATE_TIME_SIZE = 12  # DLMS date-time

_MAC_HEADER = bytes.fromhex("DD000000000000")  # general-ciphering; each of its six fields is empty
_SECURITY_HEADER = bytes.fromhex("1100000000")  # authentication only, invocation counter 0
_GROUPING_TAG = 0xDF09  # general-signing, and a transaction id of nine octets: the CRA flag and the counter
_GROUPING = Struct(">HBQB8sB8sB")  # tag, CRA, counter, 08, originator, 08, recipient, date-time length
_GROUPING_SIZE = _GROUPING.size
_CODE = Struct(">H")
_CODE_PARTY = Struct(">H8s")
_CODE_PARTY_COUNTER = Struct(">H8sQ")
_CODE_PARTY_TWO_COUNTERS = Struct(">H8sQQ")
_CRA = (None, Cra.COMMAND, Cra.RESPONSE, Cra.ALERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class GbcsMessage:
    """One GBCS message: the grouping header, the content, and the protections around it.

    `signature` is 64 octets (r‖s), empty when the signature length octet is 00, None when it is absent altogether (a pre-command).
    `mac` is the 12 octets of shape A, None for shape B. `date_time` is the raw 12-octet DLMS date-time, empty when absent.
    """

    cra: Cra
    counter: int
    originator: Eui64
    recipient: Eui64
    message_code: int
    content: bytes
    date_time: bytes = b""
    supplementary_party: Eui64 | None = None
    supplementary_counter: int | None = None
    supplementary_originator_counter: int | None = None
    certificate: bytes = b""
    signature: bytes | None = b""
    mac: bytes | None = None
    content_offset: int = field(default=0, compare=False)

    @property
    def device(self) -> DeviceId:
        """The device: the recipient of a command, the originator of everything else."""
        return self.recipient if self.cra is Cra.COMMAND else self.originator

    @property
    def remote(self) -> Eui64:
        """The remote party on the other side of the device."""
        return self.originator if self.cra is Cra.COMMAND else self.recipient

    @property
    def wire_key(self) -> WireKey:
        """The key made of the grouping header. An alert's counter is the device's own and refers to no request."""
        return WireKey(self.remote, self.device, self.counter)

    @property
    def business_key(self) -> BusinessKey | None:
        """The key that equals the DUIS RequestID; None for alerts."""
        if self.cra is Cra.ALERT:
            return None
        if self.supplementary_party is not None and self.supplementary_counter is not None:
            return BusinessKey(self.supplementary_party, self.device, self.supplementary_counter)
        return self.wire_key


def decode_gbcs(data: bytes) -> GbcsMessage:
    """Return the GBCS message that `data` holds from its first octet to its last.

    Both shapes: with a MAC around it (DD) and without (DF). A signature may be absent only from a pre-command. Lengths must agree
    with what is there. Raises: DecodeError, also for a block of a general block transfer, which is only a part of a message.
    """
    # The hot path: every alert of the nation comes through here. Hence slices, and no helper object.
    if data[:1] == b"\xdd":
        start, end = _unwrap(data)
        mac = data[end:]
    else:
        start, end, mac = 0, len(data), None
    if end - start < _GROUPING_SIZE:
        raise DecodeError("truncated grouping header", end)
    tag, cra_octet, counter, size_1, originator, size_2, recipient, size_3 = _GROUPING.unpack_from(data, start)
    cra = _CRA[cra_octet] if cra_octet < 4 else None
    if cra is None or tag != _GROUPING_TAG or size_1 != 8 or size_2 != 8 or size_3 not in (0, DATE_TIME_SIZE):
        _refuse_grouping(data, start)
    date_time_at = start + _GROUPING_SIZE
    date_time_stop = date_time_at + size_3
    other_size, at = read_length(data, date_time_stop, end)
    if other_size > end - at:
        raise DecodeError(f"other information of {other_size} octets where {end - at} are left", at)
    content_size, content_at = read_length(data, at + other_size, end)
    code, party, party_counter, originator_counter, certificate = _other_information(data, at, other_size)
    stop = content_at + content_size
    if stop > end:
        raise DecodeError(f"content of {content_size} octets where {end - content_at} are left", content_at)
    return GbcsMessage(
        cra=cra,
        counter=counter,
        originator=Eui64(originator.hex("-").upper()),
        recipient=Eui64(recipient.hex("-").upper()),
        message_code=code,
        content=data[content_at:stop],
        date_time=data[date_time_at:date_time_stop],
        supplementary_party=party,
        supplementary_counter=party_counter,
        supplementary_originator_counter=originator_counter,
        certificate=certificate,
        signature=_signature(data, stop, end, may_be_absent=mac is None and cra is Cra.COMMAND),
        mac=mac,
        content_offset=content_at,
    )


def encode_gbcs(message: GbcsMessage) -> bytes:
    """Return the octets of `message`: the inverse of `decode_gbcs`, with the shortest length fields.

    Raises: ValueError or OverflowError when the fields do not make a GBCS message (a number too large, a signature or MAC of the wrong
    size, a signature missing from anything but a pre-command, a supplementary field without those before it).
    """
    protected = _grouping(message) + _signature_field(message)
    if message.mac is None:
        return protected
    if len(message.mac) != MAC_SIZE:
        raise ValueError(f"a MAC is {MAC_SIZE} octets, not {len(message.mac)}")
    body = _SECURITY_HEADER + protected + message.mac
    return _MAC_HEADER + write_length(len(body)) + body


def signed_bytes(message: GbcsMessage) -> bytes:
    """Return the octets under the ECDSA signature: everything after the DF tag up to the end of the content.

    Source: docs/domain.md, "Cryptography".
    """
    return _grouping(message)[1:]


def mac_input(message: GbcsMessage) -> bytes:
    """Return the octets under the MAC: the security header, 00, and everything from DF to the end of the signature field.

    Source: docs/domain.md, "Cryptography".
    """
    return _SECURITY_HEADER + b"\x00" + _grouping(message) + _signature_field(message)


def _unwrap(data: bytes) -> tuple[int, int]:
    """Return where the grouping header of a MAC'd message starts and where its MAC starts."""
    if data[:7] != _MAC_HEADER:
        if data[1:2] not in (b"", b"\x00"):
            raise DecodeError("general block transfer: a part of a message, which cannot be read alone", 1)
        raise DecodeError("MAC header is not DD and six zeros", 1)
    size, at = read_length(data, 7, len(data))
    if size != len(data) - at:
        raise DecodeError(f"length {size} where {len(data) - at} octets follow", 7)
    if data[at : at + 5] != _SECURITY_HEADER:
        raise DecodeError("security header is not 11 00000000", at)
    if size < len(_SECURITY_HEADER) + MAC_SIZE:
        raise DecodeError("truncated MAC", at + len(_SECURITY_HEADER))
    return at + len(_SECURITY_HEADER), len(data) - MAC_SIZE


def _refuse_grouping(data: bytes, start: int) -> NoReturn:
    """Say which octet of the fixed part of the grouping header is wrong; one of them is."""
    for offset, wanted, what in ((0, b"\xdf", "tag"), (1, b"\x09", "transaction id length"), (11, b"\x08", "originator length")):
        found = data[start + offset : start + offset + 1]
        if found != wanted:
            raise DecodeError(f"grouping header: {what} {wanted.hex()} wanted, {found.hex()} found", start + offset)
    if not 1 <= data[start + 2] <= 3:
        raise DecodeError(f"grouping header: {data[start + 2]} is not command, response or alert", start + 2)
    if data[start + 20] != 8:
        raise DecodeError(f"grouping header: recipient length 08 wanted, {data[start + 20]:02x} found", start + 20)
    raise DecodeError(f"grouping header: date-time of {data[start + 29]} octets, not 0 or 12", start + 29)


def _other_information(data: bytes, at: int, size: int) -> tuple[int, Eui64 | None, int | None, int | None, bytes]:
    """Return message code, supplementary party, its counter, the originator's counter, certificate. The octets are known to be there."""
    if size == 2:
        return _CODE.unpack_from(data, at)[0], None, None, None, b""
    if size == 18:
        code, party, counter = _CODE_PARTY_COUNTER.unpack_from(data, at)
        return code, Eui64(party.hex("-").upper()), counter, None, b""
    if size == 10:
        code, party = _CODE_PARTY.unpack_from(data, at)
        return code, Eui64(party.hex("-").upper()), None, None, b""
    if size == 26:
        code, party, counter, originator_counter = _CODE_PARTY_TWO_COUNTERS.unpack_from(data, at)
        return code, Eui64(party.hex("-").upper()), counter, originator_counter, b""
    if size > 26:
        code, party, counter = _CODE_PARTY_COUNTER.unpack_from(data, at)
        return code, Eui64(party.hex("-").upper()), counter, None, data[at + 18 : at + size]
    raise DecodeError(f"other information of {size} octets", at)


def _signature(data: bytes, at: int, end: int, *, may_be_absent: bool) -> bytes | None:
    """Return the signature that must fill the octets from `at` to `end` with its length: 64 octets, none (b""), or absent (None)."""
    size = end - at
    if size == SIGNATURE_SIZE + 1 and data[at] == SIGNATURE_SIZE:
        return data[at + 1 : end]
    if size == 1 and data[at] == 0:
        return b""
    if size == 0:
        if may_be_absent:
            return None
        raise DecodeError("truncated: no signature length", at)
    raise DecodeError(f"signature of 0 or {SIGNATURE_SIZE} octets wanted, length {data[at]} and {size - 1} octets found", at)


def _grouping(message: GbcsMessage) -> bytes:
    """Return the octets from DF to the end of the content."""
    if len(message.date_time) not in (0, DATE_TIME_SIZE):
        raise ValueError(f"a date-time is 0 or {DATE_TIME_SIZE} octets, not {len(message.date_time)}")
    other = _other_information_octets(message)
    return b"".join(
        (
            b"\xdf\x09",
            bytes((message.cra,)),
            message.counter.to_bytes(8, "big"),
            b"\x08",
            eui64_to_bytes(message.originator),
            b"\x08",
            eui64_to_bytes(message.recipient),
            bytes((len(message.date_time),)),
            message.date_time,
            write_length(len(other)),
            other,
            write_length(len(message.content)),
            message.content,
        )
    )


def _other_information_octets(message: GbcsMessage) -> bytes:
    parts = [message.message_code.to_bytes(2, "big")]
    fields = (message.supplementary_party, message.supplementary_counter, message.supplementary_originator_counter)
    present = [field is not None for field in fields]
    if present != sorted(present, reverse=True):
        raise ValueError("a supplementary field needs those before it: party, counter, originator counter")
    if message.supplementary_party is not None:
        parts.append(eui64_to_bytes(message.supplementary_party))
    parts += [number.to_bytes(8, "big") for number in fields[1:] if isinstance(number, int)]
    if message.certificate:
        # Sizes tell the forms apart (GBCS: 26 octets are two counters), so a certificate of up to 8 octets could not be read back.
        if present != [True, True, False] or len(message.certificate) <= 8:
            raise ValueError("a certificate of more than 8 octets goes with a supplementary party and its counter, and nothing else")
        parts.append(message.certificate)
    return b"".join(parts)


def _signature_field(message: GbcsMessage) -> bytes:
    signature = message.signature
    if signature is None:
        if message.mac is not None or message.cra is not Cra.COMMAND:
            raise ValueError("only a pre-command has no signature field")
        return b""
    if len(signature) not in (0, SIGNATURE_SIZE):
        raise ValueError(f"a signature is 0 or {SIGNATURE_SIZE} octets, not {len(signature)}")
    return bytes((len(signature),)) + signature
