# SPDX-License-Identifier: Apache-2.0
"""Measured claims: python -m benchmarks prints them all; each module one of them."""
