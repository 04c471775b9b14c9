# SPDX-License-Identifier: Apache-2.0
"""The tables as SQLAlchemy knows them. The migrations make them; a structure test compares the two."""
