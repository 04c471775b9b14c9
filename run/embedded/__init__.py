# SPDX-License-Identifier: Apache-2.0
"""The servers that come with the product: a real PostgreSQL and a real Temporal, started from their wheels."""
