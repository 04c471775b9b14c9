# SPDX-License-Identifier: Apache-2.0
"""The sums: pure functions on arrays, no I/O, no clock; sources stand in docstrings. Begin at `detection.detect`."""
