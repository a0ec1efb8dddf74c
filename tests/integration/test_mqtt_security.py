"""Who may read over MQTT, and over which wire: passwords, and certificates on both sides."""

from __future__ import annotations

import datetime as dt
import gc
import ipaddress
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from joinbridge.bus.mqtt.source import MqttSource
from joinbridge.errors import TransportError
from support import services
from support.bus import alert, bodies, collect
from support.bus_mqtt import Estate
from support.services import Mosquitto, free_port


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the broker's own user can read."""
    path = Path(tempfile.mkdtemp(prefix="joinbridge-mqtt-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


async def complaint(source: MqttSource) -> str:
    """Return what keeps `source` from connecting."""
    async with source:
        with pytest.raises(TransportError) as error:
            await source.connected()
    return str(error.value)


class TestPasswords:
    @pytest.fixture
    def broker(self, folder: Path) -> Iterator[Mosquitto]:
        """A broker where only `reader` may read."""
        passwords = folder / "passwords"
        passwords.write_text("reader:s3cret/@\n")
        tool = shutil.which("mosquitto_passwd")
        if tool is None:
            services.missing("Mosquitto")
        subprocess.run([str(tool), "-U", str(passwords)], check=True)
        passwords.chmod(0o644)
        with services.mosquitto(f"allow_anonymous false\npassword_file {passwords}\n") as broker:
            yield broker

    def estate(self, broker: Mosquitto, credentials: str) -> Estate:
        return Estate(broker, url=f"mqtt://{credentials}@{broker.host}:{broker.port}")

    async def test_the_right_one_opens_the_way(self, broker: Mosquitto) -> None:
        async with self.estate(broker, "reader:s3cret%2F%40").consuming() as source:
            assert source.health.connected

    async def test_a_wrong_one_is_said_to_be_wrong_and_not_repeated(self, broker: Mosquitto) -> None:
        said = await complaint(self.estate(broker, "reader:wr0ng").source())

        assert "Not authorized" in said
        assert "wr0ng" not in said


@dataclass(frozen=True)
class Authority:
    """A certificate authority for one test; its files go into `folder`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = builder.add_extension(usage, critical=True).sign(key, SHA256())
        (folder / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        return cls(folder, key, certificate)

    def issue(self, who: str) -> tuple[Path, Path]:
        """Make a certificate for `who` on this machine; return the files of certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = _builder(name, self.certificate.subject, key).add_extension(names, critical=False).sign(self.key, SHA256())
        files = self.folder / f"{who}.pem", self.folder / f"{who}.key"
        files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))


class TestCertificates:
    @contextmanager
    def broker(self, authority: Authority) -> Iterator[tuple[Mosquitto, int]]:
        """Start a broker with a plain port for the estate, and one with TLS that wants a certificate; return it and the TLS port."""
        certificate, key = authority.issue("broker")
        port = free_port()
        listener = f"listener {port} 127.0.0.1\ncafile {authority.folder}/ca.pem\ncertfile {certificate}\nkeyfile {key}\n"
        with services.mosquitto(f"{listener}require_certificate true\n") as broker:
            yield broker, port

    async def test_on_both_sides_open_the_way(self, folder: Path) -> None:
        authority = Authority.make(folder)
        certificate, key = authority.issue("joinbridge")
        with self.broker(authority) as (broker, port):
            estate = Estate(broker, url=f"mqtts://127.0.0.1:{port}", ca_file=folder / "ca.pem", certificate_file=certificate, key_file=key)
            async with estate.consuming() as source:
                await estate.publish([alert(str(number)) for number in range(200)])
                received = await collect(source, 100)  # a window
                await source.ack(received)
                received += await collect(source, 100)

        assert bodies(received) == [str(number) for number in range(200)]

    async def test_without_ours_there_is_no_way(self, folder: Path) -> None:
        with self.broker(Authority.make(folder)) as (broker, port):
            estate = Estate(broker, url=f"mqtts://127.0.0.1:{port}", ca_file=folder / "ca.pem", connect_timeout=1)

            assert "no connection to the MQTT broker" in await complaint(estate.source())

    # paho leaves the socket of a failed handshake to the garbage collector.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    async def test_a_broker_that_nobody_vouches_for_is_not_spoken_to(self, folder: Path) -> None:
        with self.broker(Authority.make(folder)) as (broker, port):
            estate = Estate(broker, url=f"mqtts://127.0.0.1:{port}")

            said = await complaint(estate.source())
        gc.collect()

        assert "CERTIFICATE_VERIFY_FAILED" in said

    async def test_files_that_are_not_there_are_named(self, folder: Path) -> None:
        authority = Authority.make(folder)
        with self.broker(authority) as (broker, port):
            estate = Estate(broker, url=f"mqtts://127.0.0.1:{port}", ca_file=folder / "ca.pem", certificate_file=folder / "gone.pem")

            said = await complaint(estate.source())

        assert "gone.pem" in said
        assert "No such file" in said
