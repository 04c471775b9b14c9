# SPDX-License-Identifier: Apache-2.0
"""The schema's history (Alembic). `putright migrate` brings a database to the newest revision."""
