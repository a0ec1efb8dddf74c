"""What becomes of dead letters, and the indexes by which what is too old is found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Add the columns and indexes; every dead letter there is, is open."""
    op.add_column("dead_letters", sa.Column("status", sa.Text(), nullable=False, server_default="open"))
    op.add_column("dead_letters", sa.Column("requeue_at", _TIME, nullable=True))
    op.add_column("dead_letters", sa.Column("settled_at", _TIME, nullable=True))
    op.create_index("ix_inbox_at", "inbox", ["at"])
    _make_partial_index("ix_outbox_closed", "outbox", "created_at", "due_at IS NULL")
    _make_partial_index("ix_dead_letters_settled", "dead_letters", "settled_at", "settled_at IS NOT NULL")


def downgrade() -> None:
    """Drop what was added."""
    op.drop_index("ix_dead_letters_settled", "dead_letters")
    op.drop_index("ix_outbox_closed", "outbox")
    op.drop_index("ix_inbox_at", "inbox")
    for column in ("settled_at", "requeue_at", "status"):
        op.drop_column("dead_letters", column)


def _make_partial_index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
