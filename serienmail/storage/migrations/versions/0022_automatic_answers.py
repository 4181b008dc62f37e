"""Automatic answers to answers"""

import sqlalchemy as sa
from alembic import op

revision = 'automatic_answers'
down_revision = 'visits_by_time'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('automatic_answer',
    sa.Column('mass_mail_id', sa.String(), nullable=False),
    sa.Column('contact_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('stage', sa.Integer(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('template', sa.String(), nullable=False),
    sa.Column('account', sa.String(), nullable=False),
    sa.Column('replied_to', sa.String(), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('token', sa.String(), nullable=True),
    sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('mass_mail_id', 'contact_id'),
    sa.UniqueConstraint('token')
    )
    op.create_index('automatic_answer_due', 'automatic_answer', ['state', 'asked_at'], unique=False)
    op.create_index('automatic_answer_day', 'automatic_answer', ['claimed_at'], unique=False)


def downgrade() -> None:

    op.drop_index('automatic_answer_day', table_name='automatic_answer')
    op.drop_index('automatic_answer_due', table_name='automatic_answer')
    op.drop_table('automatic_answer')
