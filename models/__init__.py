# SPDX-License-Identifier: Apache-2.0
"""What is true: lifecycle, cases, events, clocks. Plain Python and pydantic; tables apart in models/tables."""
