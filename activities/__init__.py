# SPDX-License-Identifier: Apache-2.0
"""The work: the only writers of case tables. Workflows know activities.interface and nothing else of this room."""
