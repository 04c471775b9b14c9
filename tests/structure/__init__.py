# SPDX-License-Identifier: Apache-2.0
"""What holds for the whole: schema, source, documents."""
