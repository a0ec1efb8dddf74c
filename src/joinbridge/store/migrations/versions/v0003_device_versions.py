"""How often anything about a device was changed, so that whoever decides about it notices that somebody else did meanwhile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; a device that is not in it was not changed since."""
    op.create_table(
        "device_versions",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device", name="pk_device_versions"),
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("device_versions")
