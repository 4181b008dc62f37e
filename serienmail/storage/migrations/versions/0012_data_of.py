"""Whether a contact's data changed between two tries of its mail"""

import sqlalchemy as sa
from alembic import op

revision = 'data_of'
down_revision = 'tracking'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.add_column(sa.Column('data_of', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('data_changed', sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_column('data_changed')
        batch_op.drop_column('data_of')
