"""Requests for consent.

Revision ID: consent_requests
Revises: audit
"""

import sqlalchemy as sa
from alembic import op

revision = "consent_requests"
down_revision = "audit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "consent_request",
        sa.Column("id", number, nullable=False),
        sa.Column("contact_id", number, nullable=False),
        sa.Column("contact_key", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(), server_default="", nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_consent_request_contact_id", "consent_request", ["contact_id"])


def downgrade() -> None:
    op.drop_table("consent_request")
