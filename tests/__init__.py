# SPDX-License-Identifier: Apache-2.0
"""What the product promises, each test a sentence."""
