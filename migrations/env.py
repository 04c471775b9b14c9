# SPDX-License-Identifier: Apache-2.0
"""Runs the migrations on the connection that `run.migrate` hands over, in one transaction."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
