# SPDX-License-Identifier: Apache-2.0
"""The past of every open case: kept histories, and what each workflow asks of Temporal, in order."""
