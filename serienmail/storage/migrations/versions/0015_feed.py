"""The feed: which outcomes it knows, and the place of each event"""

import sqlalchemy as sa
from alembic import op

revision = 'feed'
down_revision = 'statistics'
branch_labels = None
depends_on = None

NOT_TOLD_YET = sa.text("state IN ('sent', 'deferred', 'rejected', 'failed', 'unknown') AND told <> state")
WITHOUT_POSITION = sa.text('position IS NULL')


def upgrade() -> None:
    op.add_column('delivery', sa.Column('told', sa.String(), server_default='', nullable=False))
    op.create_index('delivery_not_told', 'delivery', ['mass_mail_id', 'stage', 'seq'],
                    sqlite_where=NOT_TOLD_YET, postgresql_where=NOT_TOLD_YET)
    with op.batch_alter_table('event') as batch_op:
        batch_op.add_column(sa.Column('position', sa.BigInteger(), nullable=True))
        batch_op.create_unique_constraint('event_position_key', ['position'])
    op.create_index('event_without_position', 'event', ['id'],
                    sqlite_where=WITHOUT_POSITION, postgresql_where=WITHOUT_POSITION)


def downgrade() -> None:
    op.drop_index('event_without_position', 'event')
    with op.batch_alter_table('event') as batch_op:
        batch_op.drop_constraint('event_position_key', type_='unique')
        batch_op.drop_column('position')
    op.drop_index('delivery_not_told', 'delivery')
    with op.batch_alter_table('delivery') as batch_op:
        batch_op.drop_column('told')
