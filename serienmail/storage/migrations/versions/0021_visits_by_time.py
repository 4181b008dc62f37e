"""Visits that wait for longest are found by their time"""

from alembic import op

revision = 'visits_by_time'
down_revision = 'index_by_reason'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_index('visit_by_time', 'visit', ['at'], unique=False)


def downgrade() -> None:

    op.drop_index('visit_by_time', table_name='visit')
