# SPDX-License-Identifier: Apache-2.0
"""Systemic fixes: what is true of a change to a process that fails people. Begin at `models.fixes.lifecycle`."""
