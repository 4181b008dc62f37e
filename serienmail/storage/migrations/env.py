"""Alembic's entry: runs on the connection that `migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

from serienmail.storage import tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
assert tables.Contact.metadata is SQLModel.metadata  # importing the module has declared the tables
with context.begin_transaction():
    context.run_migrations()
