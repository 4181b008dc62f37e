"""Copies for authors and responsible employees"""

import sqlalchemy as sa
from alembic import op

revision = 'copies'
down_revision = 'templates_enclosures'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('copy',
    sa.Column('mass_mail_id', sa.String(), nullable=False),
    sa.Column('user', sa.String(), nullable=False),
    sa.Column('contact_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('token', sa.String(), nullable=True),
    sa.Column('reply', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('mass_mail_id', 'user')
    )


def downgrade() -> None:
    op.drop_table('copy')
