# SPDX-License-Identifier: Apache-2.0
"""What the API reads: SQL over the read model, under a role that cannot write cases."""
