# SPDX-License-Identifier: Apache-2.0
"""The record: receipts, events, content, read model, queues, registers, roles and row-level security.

The SQL stands in migrations/sql/0001_*.sql, in the order of their names.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Build the record."""
    op.execute("SET LOCAL lock_timeout = '4s'")  # better to fail than to queue everyone behind us
    for script in sorted(_SQL.glob("0001_[a-z]_*.sql")):
        _run(script)


def downgrade() -> None:
    """Take the record away; the roles stay, for they belong to the whole server."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    _run(_SQL / "0001_down.sql")


def _run(script: Path) -> None:
    # The driver takes a lone per cent sign for a parameter.
    op.get_bind().exec_driver_sql(script.read_text().replace("%", "%%"))
