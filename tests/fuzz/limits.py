"""How long and how large an input may be. Nothing else is imported here: what atheris is to watch it must import itself."""

from __future__ import annotations

LIMIT_S = 5.0
"""How long a target may take for one input: a thousand times what the slowest takes for the longest of the corpus."""

MAX_BYTES = 16_384
