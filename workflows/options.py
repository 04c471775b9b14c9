# SPDX-License-Identifier: Apache-2.0
"""Named time limits and retries of everything a workflow asks for."""

from __future__ import annotations

from datetime import timedelta

from temporalio.common import RetryPolicy

RECORD_WITHIN = timedelta(seconds=8)
"""One try of a local activity: below the server's ten seconds for a workflow task."""
UNTIL_RECORDED = RetryPolicy(
    initial_interval=timedelta(milliseconds=100), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30)
)
"""For ever: an accepted command is recorded, however long PostgreSQL is away."""
LISTENS_AT_LEAST = timedelta(minutes=1)
"""How long a workflow waits for whoever had it started, though its case is closed and the time for a review past."""
ANALYSE_WITHIN = timedelta(minutes=30)
ANALYSE_RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10), maximum_attempts=20
)
LOOK_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(hours=1))
"""For ever: a fix whose effect cannot be looked at today is looked at later; people are served meanwhile."""
HELP_WITHIN = timedelta(minutes=10)
ALIVE_WITHIN = timedelta(seconds=30)
"""Longer than one letter takes at most."""
UNTIL_HELPED = RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=10))
"""For ever: whoever is on a list is helped, however long PostgreSQL is away."""
