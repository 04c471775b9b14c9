# SPDX-License-Identifier: Apache-2.0
"""The web front: pages that work without JavaScript, in the words of models/lifecycle.py and the agency's policy."""
