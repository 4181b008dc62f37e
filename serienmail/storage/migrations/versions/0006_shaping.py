"""What went out lately, and limits that administrators changed"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'shaping'
down_revision = 'recipients'
branch_labels = None
depends_on = None

document = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')


def upgrade() -> None:
    op.create_table(
        'shape',
        sa.Column('kind', sa.String(), nullable=False),
        sa.Column('owner', sa.String(), nullable=False),
        sa.Column('provider', sa.String(), nullable=False),
        sa.Column('document', document, nullable=False),
        sa.Column('troubled', sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint('kind', 'owner', 'provider'),
    )
    op.create_index('ix_shape_troubled', 'shape', ['troubled'])
    op.create_table(
        'account_limits',
        sa.Column('account', sa.String(), nullable=False),
        sa.Column('changes', document, nullable=False),
        sa.Column('changed_by', sa.String(), nullable=False),
        sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('account'),
    )


def downgrade() -> None:
    op.drop_table('account_limits')
    op.drop_table('shape')
