# SPDX-License-Identifier: Apache-2.0
"""A made-up agency's three years: who complained of what, and how each complaint was dealt with."""
