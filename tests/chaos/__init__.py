# SPDX-License-Identifier: Apache-2.0
"""Processes are killed in mid-flight, and everything acknowledged is there afterwards."""
