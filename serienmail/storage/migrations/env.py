"""Alembic's entry: runs on the connection that `migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

from serienmail.storage import crm_tables, selection_tables, shaping_tables, tables

DECLARED = (tables, selection_tables, crm_tables, shaping_tables)  # by importing them
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
