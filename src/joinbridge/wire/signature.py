"""Whether a critical message was signed by who it says (docs/domain.md, "Cryptography").

Commands are signed by the remote party that originates them, responses and alerts by the device.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from joinbridge.errors import DecodeError
from joinbridge.wire.gbcs import GbcsMessage, signed_bytes


def load_public_key(pem: bytes) -> EllipticCurvePublicKey:
    """Return the P-256 key of a PEM certificate or a PEM public key.

    A certificate is not judged: whether it is to be trusted was decided by who put it there. Raises: DecodeError when it holds
    neither, or a key of another kind.
    """
    try:
        is_certificate = b"BEGIN CERTIFICATE" in pem
        key = load_pem_x509_certificate(pem).public_key() if is_certificate else load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DecodeError(f"neither a PEM certificate nor a PEM public key: {error}") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise DecodeError("not a public key on the curve P-256")
    return key


def verify_signature(message: GbcsMessage, public_key: EllipticCurvePublicKey) -> bool:
    """Return whether `message` carries a signature that `public_key`, its originator's, made. False when it carries none."""
    if not message.signature:
        return False
    half = len(message.signature) // 2
    r, s = int.from_bytes(message.signature[:half], "big"), int.from_bytes(message.signature[half:], "big")
    try:
        public_key.verify(encode_dss_signature(r, s), signed_bytes(message), ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
