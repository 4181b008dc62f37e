"""The index that exclusions are counted in"""

import sqlalchemy as sa
from alembic import op

revision = 'index_by_reason'
down_revision = 'index_by_address'
branch_labels = None
depends_on = None

STATE = ['mass_mail_id', 'stage', 'state', 'seq', 'tracked']
EXCLUDED = sa.text("state = 'excluded'")


def upgrade() -> None:
    op.drop_index('delivery_state', 'delivery')
    op.create_index('delivery_state', 'delivery', STATE)
    op.create_index('delivery_excluded', 'delivery', ['mass_mail_id', 'stage', 'reason', 'seq'],
                    sqlite_where=EXCLUDED, postgresql_where=EXCLUDED)


def downgrade() -> None:
    op.drop_index('delivery_excluded', 'delivery')
    op.drop_index('delivery_state', 'delivery')
    op.create_index('delivery_state', 'delivery', [*STATE, 'reason'])
