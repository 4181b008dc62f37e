"""Records of any module, saved filters and work lists"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'recipients'
down_revision = 'consent_requests'
branch_labels = None
depends_on = None

NAMES = {'uq': 'uq_%(table_name)s_%(column_0_name)s'}  # SQLite keeps none for 0001's constraint


def upgrade() -> None:

    unnamed = 'contact_key_key' if op.get_bind().dialect.name == 'postgresql' else 'uq_contact_key'
    with op.batch_alter_table('contact', naming_convention=NAMES) as batch_op:
        batch_op.add_column(sa.Column('module', sa.String(), server_default='contact', nullable=False))
        batch_op.drop_constraint(unnamed, type_='unique')
        batch_op.create_unique_constraint('contact_once', ['module', 'key'])

    _contact_fields([sa.Column('module', sa.String(), nullable=False)], {'module': 'contact'})
    op.create_table('saved_filter',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('module', sa.String(), nullable=False),
    sa.Column('definition', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('work_list',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('module', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('work_list_member',
    sa.Column('list', sa.String(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('list', 'key')
    )


def downgrade() -> None:

    op.drop_table('work_list_member')
    op.drop_table('work_list')
    op.drop_table('saved_filter')
    op.execute("DELETE FROM contact WHERE module <> 'contact'")
    op.execute("DELETE FROM contact_field WHERE module <> 'contact'")
    _contact_fields([], {})
    with op.batch_alter_table('contact') as batch_op:
        batch_op.drop_constraint('contact_once', type_='unique')
        batch_op.create_unique_constraint('contact_key_key', ['key'])
        batch_op.drop_column('module')


def _contact_fields(module: list[sa.Column[str]], values: dict[str, str]) -> None:
    """Make the table anew, with or without the module in its key; it has a row for each attribute only."""
    rows = op.get_bind().execute(sa.text('SELECT name, type, label FROM contact_field')).mappings().all()
    op.drop_table('contact_field')
    made = op.create_table('contact_field',
    *module,
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('type', sa.String(), nullable=False),
    sa.Column('label', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint(*(column.name for column in module), 'name')
    )
    op.bulk_insert(made, [{**row, **values} for row in rows])
