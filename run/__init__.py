# SPDX-License-Identifier: Apache-2.0
"""Everything that can be started: the `putright` command, worker, relay, API, embedded servers, their settings."""

import warnings

from authlib.deprecate import AuthlibDeprecationWarning

# Authlib tells everybody who imports it that it will want httpx2 one day, and insists: its own import asks for the
# warning always. Whoever comes later is heard first, so this stands behind that import and before all others.
warnings.filterwarnings("ignore", message="The httpx module is deprecated", category=AuthlibDeprecationWarning)
