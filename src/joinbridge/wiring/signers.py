"""How messages are read: the keys of those who sign them, from the folder that the configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from joinbridge.config import Settings
from joinbridge.core.ids import Eui64, parse_eui64
from joinbridge.errors import ConfigError, DecodeError
from joinbridge.wire.facts import Reading
from joinbridge.wire.signature import load_public_key

_KEY_SUFFIX = "-ds.pem"


def reading(settings: Settings) -> Reading:
    """Return how messages are read under `settings`.

    Raises: ConfigError that names the file, when a key cannot be loaded.
    """
    evidence = settings.evidence
    return Reading(
        keys={} if evidence.keys_dir is None else _keys(evidence.keys_dir),
        not_delivered_codes=evidence.not_delivered_codes,
        no_response_codes=evidence.no_response_codes,
    )


def _keys(folder: Path) -> Mapping[Eui64, EllipticCurvePublicKey]:
    if not folder.is_dir():
        raise ConfigError(f"evidence.keys_dir: {folder} is not a folder; make it, or leave the setting out to verify no signatures")
    keys = {}
    for file in sorted(folder.glob(f"*{_KEY_SUFFIX}")):
        try:
            keys[_signer(file)] = load_public_key(file.read_bytes())
        except DecodeError as error:
            raise ConfigError(f"evidence.keys_dir: {file}: {error.reason}") from error
        except OSError as error:
            raise ConfigError(f"evidence.keys_dir: {file}: cannot be read: {error.strerror}") from error
    return keys


def _signer(file: Path) -> Eui64:
    digits = file.name.removesuffix(_KEY_SUFFIX).replace("-", "")
    try:
        return parse_eui64("-".join(digits[i : i + 2] for i in range(0, len(digits), 2)))
    except DecodeError as error:
        raise DecodeError(f"the name is not the EUI-64 of the signer and {_KEY_SUFFIX}") from error
