"""Alembic's entry: runs on the connection that `migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

from serienmail.storage import crm_tables, tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
both = (tables.Contact.metadata, crm_tables.StoredActivity.metadata)  # importing the modules has declared the tables
assert both == (SQLModel.metadata, SQLModel.metadata)
with context.begin_transaction():
    context.run_migrations()
