# SPDX-License-Identifier: Apache-2.0
"""What the API writes: receipts, texts, the audit of reads, and registers. Never a case."""
