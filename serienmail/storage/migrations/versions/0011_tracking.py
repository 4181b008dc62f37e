"""Visits until they are judged, links whose clicks are measured, and events that count once"""

import sqlalchemy as sa
from alembic import op

revision = 'tracking'
down_revision = 'feedback'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('measured_link',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('template', sa.String(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('template', 'url', name='measured_link_once')
    )
    op.create_table('visit',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('mass_mail_id', sa.String(), nullable=False),
    sa.Column('stage', sa.Integer(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('link', sa.BigInteger(), nullable=False),
    sa.Column('method', sa.String(), nullable=False),
    sa.Column('network', sa.String(), nullable=False),
    sa.Column('agent', sa.String(), nullable=False),
    sa.Column('scanner', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('visit_of_delivery', 'visit', ['mass_mail_id', 'stage', 'seq'])
    with op.batch_alter_table('event') as batch_op:
        batch_op.add_column(sa.Column('link', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('key', sa.String(), nullable=True))
        batch_op.create_unique_constraint('event_key_key', ['key'])


def downgrade() -> None:

    with op.batch_alter_table('event') as batch_op:
        batch_op.drop_constraint('event_key_key', type_='unique')
        batch_op.drop_column('key')
        batch_op.drop_column('link')
    op.drop_table('visit')
    op.drop_table('measured_link')
