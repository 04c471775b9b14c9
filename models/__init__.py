# SPDX-License-Identifier: Apache-2.0
"""What is true: the lifecycle, cases, commands, events, clocks. Plain Python and pydantic; tables apart in models/tables."""
