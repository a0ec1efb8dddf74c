"""The field's closed lists: device types, join response codes, service references, message and alert codes.

Numbers are GBCS's own (docs/domain.md has each table with its source).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class DeviceType(IntEnum):
    """The GBCS device-type integer (docs/domain.md, "Devices")."""

    GSME = 0
    ESME = 1
    CHF = 2
    GPF = 3
    HCALCS = 4
    PPMID = 5
    TYPE2 = 6  # DUIS says IHD or CAD; GBCS has one number for both


class Cra(IntEnum):
    """The Command/Response/Alert octet of the GBCS grouping header."""

    COMMAND = 1
    RESPONSE = 2
    ALERT = 3


class JoinCode(IntEnum):
    """The one octet that a Join response carries. Codes above 13 are kept raw, as integers."""

    SUCCESS = 0
    INVALID_MESSAGE_CODE = 1
    INVALID_METHOD_AND_ROLE = 2
    INCOMPATIBLE_WITH_EXISTING_ENTRY = 3
    DEVICE_LOG_FULL = 4
    WRITE_FAILURE = 5
    KEY_AGREEMENT_NO_RESOURCES = 6
    KEY_AGREEMENT_UNKNOWN_ISSUER = 7
    KEY_AGREEMENT_UNSUPPORTED_SUITE = 8
    KEY_AGREEMENT_BAD_MESSAGE = 9
    KEY_AGREEMENT_BAD_KEY_CONFIRM = 10
    INVALID_OR_MISSING_CERTIFICATE = 11
    NO_PARTNER_LINK_KEY = 12
    NO_CBKE_RESPONSE = 13


class UnjoinCode(IntEnum):
    """The one octet that an Unjoin response carries."""

    SUCCESS = 0
    NOT_IN_DEVICE_LOG = 1
    OTHER_FAILURE = 2


class JoinRole(IntEnum):
    """joinMethodAndRole: the first INTEGER of a Join command."""

    METHOD_A_INITIATOR = 0
    METHOD_A_RESPONDER = 1
    METHOD_B = 2
    METHOD_C = 3


class Intent(StrEnum):
    """What an attempt wants of the target's Device Log."""

    JOIN = "join"
    UNJOIN = "unjoin"


SRV_JOIN_CRITICAL = "8.7.1"
SRV_JOIN_NON_CRITICAL = "8.7.2"
SRV_UNJOIN_CRITICAL = "8.8.1"
SRV_UNJOIN_NON_CRITICAL = "8.8.2"
SRV_READ_DEVICE_LOG = "8.9"

INTENT_OF_SRV = {
    SRV_JOIN_CRITICAL: Intent.JOIN,
    SRV_JOIN_NON_CRITICAL: Intent.JOIN,
    SRV_UNJOIN_CRITICAL: Intent.UNJOIN,
    SRV_UNJOIN_NON_CRITICAL: Intent.UNJOIN,
}


class MessageCode(IntEnum):
    """GBCS message codes that joinbridge acts on, named after their use case."""

    CCS01 = 0x0001
    CCS02 = 0x0002
    CCS03 = 0x0003
    CCS05_CCS04 = 0x0004
    CS03A1 = 0x000D
    CS03B = 0x000E
    CS04AC = 0x000F
    CS04B = 0x0010
    CS07 = 0x0013
    CS10A = 0x0014
    CS14 = 0x0018
    ECS35A = 0x0048
    ECS35B = 0x0049
    GCS59 = 0x008C
    PCS02 = 0x0090
    ECS35C = 0x0093
    ECS35D = 0x0094
    PCS01 = 0x009B
    CS10B = 0x00A1
    CS03A2 = 0x00AB
    CS03C = 0x00AF
    GCS62 = 0x00B2
    ALERT_8F84 = 0x00D5
    CCS07 = 0x00FE
    CCS06 = 0x010F
    DBCH10 = 0x0114
    PECS01 = 0x0116
    PECS02 = 0x0117
    PECS03 = 0x0118
    HECS01 = 0x0119
    ECS100 = 0x0120
    GCA = 0x1000
    GNCA = 0x1001


JOIN_MESSAGE_CODES = frozenset({MessageCode.CS03A1, MessageCode.CS03A2, MessageCode.CS03B, MessageCode.CS03C})
UNJOIN_MESSAGE_CODES = frozenset({MessageCode.CS04AC, MessageCode.CS04B})


class AlertCode(IntEnum):
    """Device alert and log event codes that evidence reads (docs/domain.md, "Alerts")."""

    GPF_DEVICE_LOG_CHANGED = 0x8071
    CREDIT_ADDED_LOCALLY = 0x810E
    HAN_COMMAND_ACTIONED = 0x8154
    HAN_COMMAND_NOT_ACTIONED = 0x8155
    DEVICE_JOINED_SMHAN = 0x8183
    HAN_MESSAGE_ACKNOWLEDGED = 0x81A6
    CHF_DEVICE_LOG_CHANGED = 0x8F12
    INTEGRITY_FAILURE = 0x8F1E
    MESSAGE_DISCARDED = 0x8F2C
    AUTHORITY_FAILURE = 0x8F30
    TRUST_FAILURE = 0x8F3D
    ACCESS_DENIED = 0x8F3E
    JOIN_FAILED = 0x8F48
    JOIN_SUCCEEDED = 0x8F49
    UNJOIN_FAILED = 0x8F4A
    UNJOIN_SUCCEEDED = 0x8F4B
    AUTHENTICATION_FAILURE = 0x8F53
    MALFORMED_MESSAGE = 0x8F60
    DEVICE_COMMISSIONED = 0x8F69
    NOT_DELIVERED_TO_ESME = 0x8F84
    COMMAND_NOT_SUPPORTED = 0x8F85
