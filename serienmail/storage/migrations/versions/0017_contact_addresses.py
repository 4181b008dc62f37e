"""Records with several addresses"""

import sqlalchemy as sa
from alembic import op

revision = 'contact_addresses'
down_revision = 'consent_modules'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('contact_address',
    sa.Column('contact_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('address_key', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('contact_id', 'address_key')
    )
    op.create_index('ix_contact_address_address_key', 'contact_address', ['address_key'])


def downgrade() -> None:

    op.drop_table('contact_address')
