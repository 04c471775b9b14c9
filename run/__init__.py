# SPDX-License-Identifier: Apache-2.0
"""Everything that can be started: the `putright` command, worker, relay, API, embedded servers, their settings."""
