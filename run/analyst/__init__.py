# SPDX-License-Identifier: Apache-2.0
"""The doors for analysts: tables in files in, results in files out, no database and no server."""
