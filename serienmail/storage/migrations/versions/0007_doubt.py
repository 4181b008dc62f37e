"""Doubt: what was sent again after it, and the evidence that ends it"""

import sqlalchemy as sa
from alembic import op

revision = 'doubt'
down_revision = 'shaping'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.add_column(sa.Column('resent', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('clicked_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('bounced_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_column('bounced_at')
        batch_op.drop_column('clicked_at')
        batch_op.drop_column('resent')
