"""`joinbridge decode`: what is in these messages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from joinbridge.cli.output import FOUND_WRONG, STANDARD_INPUT, complain, console, print_json
from joinbridge.errors import DecodeError
from joinbridge.wire.describe import describe
from joinbridge.wire.message import decode_message


def decode(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="DUIS XML, or GBCS as hex, base64 or binary; - is standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, in argument order.")] = False,
) -> None:
    """Decode DUIS and GBCS messages, told apart by their content.

    A file that cannot be decoded is reported with reason and offset; the others are decoded all the same, and the exit code is 1.
    """
    failed = False
    for file in files:
        try:
            described: dict[str, object] = {"file": file, **describe(decode_message(_octets(file)))}
        except DecodeError as error:
            failed = True
            described = {"file": file, "error": error.reason, "offset": error.offset}
        except OSError as error:
            failed = True
            described = {"file": file, "error": f"cannot be read: {error.strerror}", "offset": None}
        if as_json:
            print_json(described)
        else:
            _show(described)
    if failed:
        raise typer.Exit(FOUND_WRONG)


def _octets(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()


def _show(described: dict[str, object]) -> None:
    if "error" in described:
        offset = described["offset"]
        complain(f"{described['file']}: {described['error']}" + ("" if offset is None else f" (at byte {offset})"))
        return
    tree = Tree(Text(str(described.pop("file")), style="bold"))
    for name, value in described.items():
        _grow(tree, name, value)
    console().print(tree)


def _grow(tree: Tree, name: str, value: object) -> None:
    """Add what is there; what is absent is left out."""
    if isinstance(value, dict):
        branch = tree.add(Text(name, style="cyan"))
        for inner, one in value.items():
            _grow(branch, inner, one)
    elif isinstance(value, list):
        branch = tree.add(Text.assemble((name, "cyan"), f" ({len(value)})"))
        for number, one in enumerate(value):
            _grow(branch, str(number), one)
    elif value is not None:
        tree.add(Text.assemble((name, "cyan"), f": {value}"))
