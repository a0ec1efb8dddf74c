"""TLS in both directions: joinbridge knows its broker, and the broker knows joinbridge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from joinbridge.errors import ConfigError, TransportError
from support import services
from support.bus import alert, bodies, collect
from support.bus_amqp import opened


class Authority:
    """An authority of one test; `pem` is its own certificate."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.pem = folder / f"{name}.pem"
        self._write(self.pem, self._name, self._key.public_key(), authority=True)

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return a certificate for the loopback address, and its private key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, private = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        self._write(certificate, _named(name), key.public_key(), authority=False)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private

    def _write(self, path: Path, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool) -> None:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        path.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[tuple[services.RabbitMq, int]]:
    """A RabbitMQ with a port for TLS that wants a certificate of its clients."""
    port = services.free_port()
    certificate, key = authority.issue("broker")
    configuration = (
        f"listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {authority.pem}\nssl_options.certfile = {certificate}\n"
        f"ssl_options.keyfile = {key}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n"
    )
    with services.rabbitmq(configuration) as server:
        yield server, port


@pytest.fixture
def host(secured: tuple[services.RabbitMq, int]) -> Iterator[tuple[services.VirtualHost, str]]:
    """A virtual host, and its URL for TLS."""
    server, port = secured
    with server.virtual_host() as host:
        yield host, f"amqps://guest:guest@127.0.0.1:{port}/{host.name}"


async def test_each_knows_the_other_by_certificate(authority: Authority, host: tuple[services.VirtualHost, str]) -> None:
    virtual_host, url = host
    certificate, key = authority.issue("joinbridge")

    files = {"ca_file": authority.pem, "certificate_file": certificate, "key_file": key}
    async with opened(virtual_host, url=url, **files) as bus, bus.source("joinbridge.in") as source:
        await bus.publisher.publish([alert("x")])
        assert bodies(await collect(source, 1)) == ["x"]


async def test_a_broker_that_another_authority_signed_is_refused_at_once(
    tmp_path: Path, authority: Authority, host: tuple[services.VirtualHost, str]
) -> None:
    virtual_host, url = host
    certificate, key = authority.issue("joinbridge")
    stranger = Authority(tmp_path, "stranger")

    with pytest.raises(ConfigError, match=r"amqp\.ca_file: .* does not verify"):
        async with opened(virtual_host, url=url, ca_file=stranger.pem, certificate_file=certificate, key_file=key):
            pass


async def test_a_client_without_a_certificate_is_not_let_in(authority: Authority, host: tuple[services.VirtualHost, str]) -> None:
    virtual_host, url = host

    with pytest.raises(TransportError, match="connecting to"):
        async with opened(virtual_host, url=url, ca_file=authority.pem, connect_deadline=1):
            pass
