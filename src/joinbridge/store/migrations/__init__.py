"""Alembic's environment and the migrations, in `versions`. `joinbridge.store.schema` runs them."""
