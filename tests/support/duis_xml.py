"""DUIS documents written by hand, so that the parser is not only tested against our own writer."""

from __future__ import annotations

from joinbridge.core.ids import DeviceId, parse_eui64, parse_request_id

SUPPLIER = "90-B3-D5-1F-30-01-00-00"
METER = "00-DB-12-34-56-78-90-A0"
DISPLAY = "00-DB-12-34-56-78-90-A4"
HUB = "00-DB-12-34-56-78-90-A2"

REQUEST_ID = parse_request_id(f"{SUPPLIER}:{METER}:1700000000001")
RESPONSE_ID = parse_request_id(f"{METER}:{SUPPLIER}:1700000000001")

_NAMESPACE = 'xmlns:sr="http://www.dccinterface.co.uk/ServiceUserGateway"'


def device_id(text: str) -> DeviceId:
    """The device id written in `text`."""
    return parse_eui64(text)


def request_xml(service: str, *, header: str | None = None, root: str = "") -> bytes:
    """A request for `service`; `root` goes into the root's start tag."""
    usual = (
        f"<sr:RequestID>{REQUEST_ID}</sr:RequestID><sr:CommandVariant>1</sr:CommandVariant>"
        "<sr:ServiceReference>8.7</sr:ServiceReference><sr:ServiceReferenceVariant>8.7.2</sr:ServiceReferenceVariant>"
    )
    return (
        f'<sr:Request {_NAMESPACE} schemaVersion="5.4"{root}>'
        f"<sr:Header>{usual if header is None else header}</sr:Header><sr:Body>{service}</sr:Body></sr:Request>"
    ).encode()


def response_xml(body: str, *, header: str | None = None) -> bytes:
    """A response with `body`."""
    usual = (
        f"<sr:RequestID>{REQUEST_ID}</sr:RequestID><sr:ResponseID>{RESPONSE_ID}</sr:ResponseID>"
        "<sr:ResponseCode>I0</sr:ResponseCode><sr:ResponseDateTime>2025-12-28T16:51:01.185Z</sr:ResponseDateTime>"
    )
    return (
        f'<sr:Response {_NAMESPACE} schemaVersion="5.4">'
        f"<sr:Header>{usual if header is None else header}</sr:Header><sr:Body>{body}</sr:Body></sr:Response>"
    ).encode()


def answer_xml(payload: str) -> bytes:
    """A service response with `payload`."""
    return response_xml(
        "<sr:ResponseMessage><sr:ServiceReference>8.7</sr:ServiceReference>"
        f"<sr:ServiceReferenceVariant>8.7.2</sr:ServiceReferenceVariant>{payload}</sr:ResponseMessage>"
    )


def dcc_alert_xml(alert: str) -> bytes:
    """A DCC Alert with `alert` inside."""
    return response_xml(
        f"<sr:DCCAlertMessage><sr:DCCAlertCode>N13</sr:DCCAlertCode><sr:DCCAlert>{alert}</sr:DCCAlert></sr:DCCAlertMessage>"
    )


JOIN_SERVICE = f"<sr:JoinServiceNonCritical><sr:OtherDeviceID>{DISPLAY}</sr:OtherDeviceID></sr:JoinServiceNonCritical>"
