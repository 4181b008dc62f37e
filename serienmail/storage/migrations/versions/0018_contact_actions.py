"""Templates of contact actions"""

import sqlalchemy as sa
from alembic import op

revision = 'contact_actions'
down_revision = 'contact_addresses'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('contact_action',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )


def downgrade() -> None:

    op.drop_table('contact_action')
