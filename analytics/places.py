# SPDX-License-Identifier: Apache-2.0
"""What a place is called that nobody knows."""

ELSEWHERE = "elsewhere"
"""The region of offices that are in none, or that the policy does not know."""
