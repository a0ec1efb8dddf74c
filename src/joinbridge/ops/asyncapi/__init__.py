"""The bus contract as an AsyncAPI 3 document, made from the code and the default settings: docs/asyncapi.yaml."""

from __future__ import annotations

import yaml

from joinbridge.config import Settings
from joinbridge.ops.asyncapi.contract import document

__all__ = ["asyncapi_yaml", "document"]


def asyncapi_yaml(settings: Settings, note: str) -> str:
    """Return the document under `note`, a comment."""
    return f"# {note}\n{yaml.safe_dump(document(settings), sort_keys=False, allow_unicode=True, width=140)}"
