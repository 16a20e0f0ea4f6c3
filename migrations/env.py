"""What Alembic runs: on the connection, and in the transaction, that `upgrade` gives it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
