"""The first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('contact',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('salutation', sa.String(), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('first_name', sa.String(), nullable=False),
    sa.Column('last_name', sa.String(), nullable=False),
    sa.Column('company', sa.String(), nullable=False),
    sa.Column('email', sa.String(), nullable=False),
    sa.Column('address_key', sa.String(), nullable=True),
    sa.Column('postcode', sa.String(), nullable=False),
    sa.Column('city', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('owner', sa.String(), nullable=False),
    sa.Column('time_zone', sa.String(), nullable=False),
    sa.Column('opt_in', sa.Boolean(), nullable=False),
    sa.Column('tracking', sa.Boolean(), nullable=False),
    sa.Column('attributes', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.Column('imported_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    with op.batch_alter_table('contact', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_contact_address_key'), ['address_key'], unique=False)

    op.create_table('contact_field',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('type', sa.String(), nullable=False),
    sa.Column('label', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('delivery',
    sa.Column('mass_mail_id', sa.String(), nullable=False),
    sa.Column('stage', sa.Integer(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('contact_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('address_key', sa.String(), nullable=True),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('token', sa.String(), nullable=True),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('template', sa.String(), nullable=False),
    sa.Column('tracked', sa.Boolean(), nullable=False),
    sa.Column('doubted', sa.Boolean(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('handed_over_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reply', sa.Text(), nullable=False),
    sa.Column('message_id', sa.String(), nullable=False),
    sa.Column('dated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('unsubscribed_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('mass_mail_id', 'stage', 'seq')
    )
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.create_index('delivery_once', ['mass_mail_id', 'stage', 'address_key'], unique=True, sqlite_where=sa.text("state <> 'excluded'"), postgresql_where=sa.text("state <> 'excluded'"))
        batch_op.create_index('delivery_open_address', ['address_key'], unique=False, sqlite_where=sa.text("state IN ('pending', 'deferred')"), postgresql_where=sa.text("state IN ('pending', 'deferred')"))
        batch_op.create_index('delivery_state', ['mass_mail_id', 'stage', 'state', 'seq'], unique=False)

    op.create_table('event',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('mass_mail_id', sa.String(), nullable=False),
    sa.Column('stage', sa.Integer(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('detail', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('event', schema=None) as batch_op:
        batch_op.create_index('event_of_delivery', ['mass_mail_id', 'stage', 'seq', 'kind'], unique=False)

    op.create_table('mass_mail',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.Column('status', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('number')
    )
    with op.batch_alter_table('mass_mail', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_mass_mail_created_by'), ['created_by'], unique=False)
        batch_op.create_index(batch_op.f('ix_mass_mail_state'), ['state'], unique=False)

    op.create_table('selection',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('definition', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('stage',
    sa.Column('mass_mail_id', sa.String(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('open', sa.Boolean(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('template', sa.String(), nullable=False),
    sa.Column('loaded_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('mass_mail_id', 'number')
    )
    op.create_table('suppression',
    sa.Column('address_key', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('address_key')
    )
    op.create_table('template',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('html', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', 'revision')
    )



def downgrade() -> None:

    op.drop_table('template')
    op.drop_table('suppression')
    op.drop_table('stage')
    op.drop_table('selection')
    with op.batch_alter_table('mass_mail', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_mass_mail_state'))
        batch_op.drop_index(batch_op.f('ix_mass_mail_created_by'))

    op.drop_table('mass_mail')
    with op.batch_alter_table('event', schema=None) as batch_op:
        batch_op.drop_index('event_of_delivery')

    op.drop_table('event')
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_index('delivery_state')
        batch_op.drop_index('delivery_open_address', sqlite_where=sa.text("state IN ('pending', 'deferred')"), postgresql_where=sa.text("state IN ('pending', 'deferred')"))
        batch_op.drop_index('delivery_once', sqlite_where=sa.text("state <> 'excluded'"), postgresql_where=sa.text("state <> 'excluded'"))

    op.drop_table('delivery')
    op.drop_table('contact_field')
    with op.batch_alter_table('contact', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_contact_address_key'))

    op.drop_table('contact')

