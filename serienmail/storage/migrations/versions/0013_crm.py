"""Activities in the CRM, and triggers that recipients set off"""

import sqlalchemy as sa
from alembic import op

revision = 'crm'
down_revision = 'data_of'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('activity',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('origin', sa.String(), nullable=False),
    sa.Column('contact_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('mass_mail_id', sa.String(), nullable=False),
    sa.Column('stage', sa.Integer(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('type', sa.String(), nullable=False),
    sa.Column('assigned', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('priority', sa.String(), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('origin', 'contact_id', name='activity_once')
    )
    op.create_index('activity_of_contact', 'activity', ['contact_id'])
    op.create_index('activity_of_mass_mail', 'activity', ['mass_mail_id', 'kind'])
    op.create_table('triggered',
    sa.Column('mass_mail_id', sa.String(), nullable=False),
    sa.Column('stage', sa.Integer(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('trigger', sa.String(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('link', sa.BigInteger(), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('mass_mail_id', 'stage', 'seq', 'trigger')
    )
    op.create_index('triggered_not_started', 'triggered', ['at'],
    sqlite_where=sa.text('started_at IS NULL'), postgresql_where=sa.text('started_at IS NULL'))


def downgrade() -> None:

    op.drop_table('triggered')
    op.drop_table('activity')
