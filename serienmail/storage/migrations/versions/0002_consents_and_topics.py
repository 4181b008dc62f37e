"""The record of consents; suppressions of one topic alone.

Revision ID: consents_and_topics
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "consents_and_topics"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("contact_key", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("proof", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_consent_contact_key", "consent", ["contact_key"])
    op.create_index("ix_consent_address_key", "consent", ["address_key"])
    with op.batch_alter_table("mass_mail") as mass_mail:
        mass_mail.add_column(sa.Column("topic", sa.String(), server_default="", nullable=False))
    _rebuild_suppressions("", "address_key", "topic")


def downgrade() -> None:
    op.execute("DELETE FROM suppression WHERE topic <> ''")
    _rebuild_suppressions("topic", "address_key")
    with op.batch_alter_table("mass_mail") as mass_mail:
        mass_mail.drop_column("topic")
    op.drop_table("consent")


def _rebuild_suppressions(dropped: str, *key: str) -> None:
    """Copied into a new table: SQLite can't change a primary key, and one way for both databases is tested twice."""
    op.rename_table("suppression", "suppression_before")
    columns: list[sa.Column[Any]] = [
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), server_default="", nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
    ]
    op.create_table("suppression", *(c for c in columns if c.name != dropped), sa.PrimaryKeyConstraint(*key))
    kept = "address_key, reason, since, source"
    op.execute(f"INSERT INTO suppression ({kept}) SELECT {kept} FROM suppression_before")
    op.drop_table("suppression_before")
