"""The DUIS schema and the DUIS messages of the corpus, which stands beside a checkout and is no part of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import xmlschema

_CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
_XSD = _CORPUS / "schema" / "duis-5.4.xsd"

DUIS_CORPUS = _CORPUS / "duis"

needs_duis_schema = pytest.mark.skipif(not _XSD.is_file(), reason="the DUIS schema is not here: it is licensed apart from this project")
needs_duis_corpus = pytest.mark.skipif(
    not DUIS_CORPUS.is_dir(), reason="the DUIS corpus is not here: its messages are licensed apart from this project"
)


@cache
def duis_schema() -> xmlschema.XMLSchema:
    """The DUIS XSD 5.4; to load it takes a second, once in a process."""
    return xmlschema.XMLSchema(str(_XSD))


def schema_errors(document: bytes) -> list[str]:
    """What the DUIS XSD 5.4 has against a document."""
    return [str(error.reason) for error in duis_schema().iter_errors(document)]
