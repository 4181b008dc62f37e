"""Answers about consent know whose module they are of"""

import sqlalchemy as sa
from alembic import op

revision = 'consent_modules'
down_revision = 'feed'
branch_labels = None
depends_on = None


def upgrade() -> None:

    with op.batch_alter_table('consent') as batch_op:
        batch_op.add_column(sa.Column('module', sa.String(), server_default='contact', nullable=False))


def downgrade() -> None:

    with op.batch_alter_table('consent') as batch_op:
        batch_op.drop_column('module')
