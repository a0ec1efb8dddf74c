"""Make compose/secrets: a password for each user of compose/compose.yaml, where there is none yet, and every file that holds one."""

from __future__ import annotations

import argparse
import json
import secrets
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import pbkdf2_hmac, sha256
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / "compose" / "secrets"
RABBITMQ_USERS = {"joinbridge": [], "estate": [], "operator": ["administrator"]}
MOSQUITTO_USERS = ("joinbridge", "csp")
_ROUNDS = 101  # what mosquitto_passwd takes


def make(folder: Path) -> None:
    """Write all files into `folder`. Passwords that are there stay, as the databases and brokers know them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("postgresql", "joinbridge-database", "smi-database"):
        password(folder, name)
    rabbitmq = {user: password(folder, f"rabbitmq-{user}") for user in RABBITMQ_USERS}
    mosquitto = {user: password(folder, f"mosquitto-{user}") for user in MOSQUITTO_USERS}
    users = [
        {
            "name": user,
            "password_hash": rabbitmq_hash(word),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": RABBITMQ_USERS[user],
        }
        for user, word in rabbitmq.items()
    ]
    write(folder / "rabbitmq-users.json", json.dumps({"users": users}, indent=2))
    write(folder / "mosquitto-passwords", "".join(f"{user}:{mosquitto_hash(word)}\n" for user, word in mosquitto.items()))
    for name in ("joinbridge", "smi"):
        file = "joinbridge-database-url" if name == "joinbridge" else "smi-url"
        write(folder / file, f"postgresql+asyncpg://{name}:{password(folder, f'{name}-database')}@postgresql:5432/{name}")
    for user in ("joinbridge", "estate"):
        write(folder / f"{user}-amqp-url", f"amqp://{user}:{rabbitmq[user]}@rabbitmq:5672/joinbridge")
    for user in MOSQUITTO_USERS:
        write(folder / f"{user}-mqtt-url", f"mqtt://{user}:{mosquitto[user]}@mosquitto:1883")
    write(folder / "rehearsal-origin", datetime.now(UTC).isoformat(timespec="seconds"))


def password(folder: Path, name: str) -> str:
    """Return the password of `name`, made now if there is none. It needs no escaping in a URL."""
    file = folder / f"{name}-password"
    if not file.exists():
        write(file, secrets.token_urlsafe(24))
    return file.read_text(encoding="utf-8")


def rabbitmq_hash(word: str) -> str:
    """Return `word` as RabbitMQ keeps it: a salt of 4 octets, and the SHA-256 of both."""
    salt = secrets.token_bytes(4)
    return b64encode(salt + sha256(salt + word.encode()).digest()).decode()


def mosquitto_hash(word: str) -> str:
    """Return `word` as Mosquitto 2 keeps it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = pbkdf2_hmac("sha512", word.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def write(file: Path, text: str) -> None:
    """Write a file that the services can read, each as a user of its own; the folder keeps everybody else out."""
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HOME, help="where to (default: compose/secrets)")
    make(parser.parse_args().folder)
