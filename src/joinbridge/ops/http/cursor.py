"""Cursors: where a page ended, as an opaque word for the next request."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import StringConstraints, TypeAdapter

T = TypeVar("T")

LONGEST = 2000
"""Characters: longer than any cursor that was given out."""

# PostgreSQL takes no text with a NUL in it.
_PARTS = TypeAdapter(list[Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]])


def encode(*parts: str) -> str:
    """Return the cursor of an item that `parts` tell from its neighbours."""
    return urlsafe_b64encode(_PARTS.dump_json(list(parts))).decode().rstrip("=")


def decode(cursor: str, make: Callable[..., T]) -> T:
    """Return what `make` makes of the parts of `cursor`.

    Raises: ValueError when it is no cursor of this listing.
    """
    try:
        return make(*_PARTS.validate_json(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))
    except (ValueError, TypeError) as error:
        raise ValueError("not a cursor of this listing: take `next` of the page before") from error
