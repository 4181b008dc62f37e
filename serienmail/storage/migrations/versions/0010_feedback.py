"""Feedback: bounces, complaints, reports and replies"""

import sqlalchemy as sa
from alembic import op

revision = 'feedback'
down_revision = 'copies'
branch_labels = None
depends_on = None

TIMES = ('delivered_at', 'complained_at', 'replied_at')


def upgrade() -> None:
    op.create_table('feedback',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('severity', sa.String(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('mass_mail_id', sa.String(), nullable=True),
    sa.Column('stage', sa.Integer(), nullable=True),
    sa.Column('seq', sa.Integer(), nullable=True),
    sa.Column('address_key', sa.String(), nullable=True),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('feedback_of_delivery', 'feedback', ['mass_mail_id', 'stage', 'seq'])
    op.create_index('feedback_of_address', 'feedback', ['address_key'])
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        for name in TIMES:
            batch_op.add_column(sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        for name in TIMES:
            batch_op.drop_column(name)
    op.drop_table('feedback')
