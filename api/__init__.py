# SPDX-License-Identifier: Apache-2.0
"""Asking and seeing: the JSON interface and, in pages/, the web front. A route translates and does nothing else."""
