"""On SQLite no index by address depends on the state, and one finds all mails of an address"""

import sqlalchemy as sa
from alembic import op

revision = 'index_by_address'
down_revision = 'contact_actions'
branch_labels = None
depends_on = None

ONCE = ['mass_mail_id', 'stage', 'address_key']
NOT_EXCLUDED = sa.text("state <> 'excluded'")
OPEN = sa.text("state IN ('pending', 'deferred')")


def upgrade() -> None:
    op.drop_index('delivery_once', 'delivery')
    op.create_index('delivery_once', 'delivery', ONCE, unique=True,
                    sqlite_where=sa.text("reason = ''"), postgresql_where=NOT_EXCLUDED)
    op.drop_index('delivery_open_address', 'delivery')
    op.create_index('delivery_address', 'delivery', ['address_key', 'mass_mail_id', 'stage'], postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_index('delivery_address', 'delivery')
    op.create_index('delivery_open_address', 'delivery', ['address_key'], sqlite_where=OPEN, postgresql_where=OPEN)
    op.drop_index('delivery_once', 'delivery')
    op.create_index('delivery_once', 'delivery', ONCE, unique=True,
                    sqlite_where=NOT_EXCLUDED, postgresql_where=NOT_EXCLUDED)
