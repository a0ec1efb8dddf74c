from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from joinbridge.core.vocabulary import Cra, MessageCode
from joinbridge.errors import DecodeError
from joinbridge.wire.gbcs import GbcsMessage, signed_bytes
from joinbridge.wire.signature import load_public_key, verify_signature
from support.gbcs_samples import message_with

KEY = ec.derive_private_key(7, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(8, ec.SECP256R1())


def signed(message: GbcsMessage, key: ec.EllipticCurvePrivateKey = KEY) -> GbcsMessage:
    r, s = decode_dss_signature(key.sign(signed_bytes(message), ec.ECDSA(SHA256())))
    return replace(message, signature=r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def public_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def certificate_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


ANSWER = message_with("020100", MessageCode.CS03A1, Cra.RESPONSE)


def test_a_signature_is_that_of_the_key_that_made_it() -> None:
    assert verify_signature(signed(ANSWER), KEY.public_key())
    assert not verify_signature(signed(ANSWER), OTHER_KEY.public_key())


def test_a_signature_covers_the_answer_and_the_counter() -> None:
    message = signed(ANSWER)

    assert not verify_signature(replace(message, content=b"\x02\x01\x03"), KEY.public_key())
    assert not verify_signature(replace(message, counter=message.counter + 1), KEY.public_key())


def test_a_mac_added_later_does_not_break_a_signature() -> None:
    assert verify_signature(replace(signed(ANSWER), mac=bytes(12)), KEY.public_key())


@pytest.mark.parametrize("signature", [None, b"", bytes(64)], ids=["absent", "empty", "zero"])
def test_what_is_no_signature_does_not_verify(signature: bytes | None) -> None:
    assert not verify_signature(replace(ANSWER, signature=signature), KEY.public_key())


@pytest.mark.parametrize("pem", [public_pem(KEY), certificate_pem(KEY)], ids=["public key", "certificate"])
def test_a_key_is_loaded_from_a_public_key_and_from_a_certificate(pem: bytes) -> None:
    assert load_public_key(pem) == KEY.public_key()


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        public_pem(ec.derive_private_key(7, ec.SECP384R1())),
        public_pem(ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["nothing", "a broken certificate", "a broken key", "another curve", "another algorithm"],
)
def test_what_is_no_p256_key_is_a_decode_error(pem: bytes) -> None:
    with pytest.raises(DecodeError):
        load_public_key(pem)
