"""The bus contract as an AsyncAPI 3 document, made from the code and the default settings: docs/asyncapi.yaml."""

from __future__ import annotations

from joinbridge.config import Settings
from joinbridge.ops.asyncapi.contract import document
from joinbridge.ops.asyncapi.plain_yaml import as_yaml

__all__ = ["asyncapi_yaml", "document"]


def asyncapi_yaml(settings: Settings, note: str) -> str:
    """Return the document under `note`, a comment."""
    return f"# {note}\n{as_yaml(document(settings))}"
