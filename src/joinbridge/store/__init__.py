"""The store: attempts, pairs, evidence, inbox, outbox and audit chain in a SQL database, through SQLAlchemy Core.

`database.open_database` opens one, `schema.upgrade` makes its tables; `SqlStore` and `SqlOutbox` keep the ports' promises on it, and
`Records` reads it for people. docs/decisions/0004-storage.md says why it is made as it is.
"""
