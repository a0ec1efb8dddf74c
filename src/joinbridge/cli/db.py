"""`joinbridge db`: the schema of the database that holds the records."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import console, print_json
from joinbridge.cli.records import Database, database_url
from joinbridge.wiring.databases import upgrade_database

app = typer.Typer(help="The database that holds joinbridge's records.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(database: Database = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Bring the database to the schema of this version; nothing happens when it is there."""
    before, after = asyncio.run(_upgraded(config, database))
    if as_json:
        print_json({"before": before, "after": after})
    elif before == after:
        console().print(f"the database has schema {after}, as this version needs")
    else:
        console().print(f"the database had {'no schema' if before is None else f'schema {before}'} and has schema {after} now")


async def _upgraded(config: Path | None, database: str | None) -> tuple[str | None, str | None]:
    return await upgrade_database(database_url(config, database))
