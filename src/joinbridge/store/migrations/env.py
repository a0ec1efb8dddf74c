"""How Alembic runs the migrations: on the connection it is given, or as SQL text. Alembic runs this file; nothing imports it."""

from __future__ import annotations

from alembic import context

from joinbridge.store.tables import metadata

# PostgreSQL and SQLite both undo DDL, so that a migration that fails leaves nothing behind.
if context.is_offline_mode():
    context.configure(url=context.config.attributes["url"], target_metadata=metadata, transactional_ddl=True)
else:
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)

with context.begin_transaction():
    context.run_migrations()
