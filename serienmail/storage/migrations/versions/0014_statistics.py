"""Indexes that the statistics are counted in"""

import sqlalchemy as sa
from alembic import op

revision = 'statistics'
down_revision = 'crm'
branch_labels = None
depends_on = None

TOLD = ('opened_at', 'clicked_at', 'unsubscribed_at', 'bounced_at', 'complained_at', 'replied_at')
SOMETHING_TOLD = sa.text(' OR '.join(f'{name} IS NOT NULL' for name in TOLD))
STATE = ['mass_mail_id', 'stage', 'state', 'seq']


def upgrade() -> None:
    op.drop_index('delivery_state', 'delivery')
    op.create_index('delivery_state', 'delivery', [*STATE, 'tracked', 'reason'])
    op.create_index('delivery_told', 'delivery', ['mass_mail_id', 'stage', 'state', 'tracked', *TOLD],
                    sqlite_where=SOMETHING_TOLD, postgresql_where=SOMETHING_TOLD)


def downgrade() -> None:
    op.drop_index('delivery_told', 'delivery')
    op.drop_index('delivery_state', 'delivery')
    op.create_index('delivery_state', 'delivery', STATE)
