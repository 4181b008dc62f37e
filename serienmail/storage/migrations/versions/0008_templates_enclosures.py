"""What goes along with templates, and who they are from"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'templates_enclosures'
down_revision = 'doubt'
branch_labels = None
depends_on = None

document = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql')


def upgrade() -> None:
    op.create_table('file',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('template') as batch_op:
        batch_op.add_column(sa.Column('enclosures', document, nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('sender', document, nullable=False, server_default='{}'))


def downgrade() -> None:
    with op.batch_alter_table('template') as batch_op:
        batch_op.drop_column('sender')
        batch_op.drop_column('enclosures')
    op.drop_table('file')
