# SPDX-License-Identifier: Apache-2.0
"""Who vouches for people: the agency's own provider, or the local one, which believes anybody.

The local provider is for trying Putright out. It starts only where everything is embedded and listens on this machine
alone, and every page says that it is on. It lives in the API's process, on a port of its own that changes with each
start; so people's identities with it are stored under a name, not under its address. Browsers never go there: who one
is, is chosen on our own sign-in page (api/sign_in.py).
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

from authlib.deprecate import AuthlibDeprecationWarning

from api.sign_in import LocalSignIn, OidcSignIn
from run.settings import LOCAL_ISSUER, Settings

SIGNING = "sign-in-state"
LOCAL_CLIENT = "putright"
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def sign_in_for(settings: Settings) -> Iterator[OidcSignIn | None]:
    """Give the sign-in provider of these settings, or None where programs alone use this installation."""
    key = settings.derived_secret(SIGNING)
    if settings.oidc_issuer:
        issuer = settings.oidc_issuer
        yield OidcSignIn(issuer, issuer, settings.oidc_client_id, settings.oidc_client_secret, key)
    elif settings.may_sign_anyone_in:
        with local_provider() as address:
            yield LocalSignIn(address, LOCAL_ISSUER, LOCAL_CLIENT, LOCAL_CLIENT, key)
    else:
        _log.warning("no sign-in provider is set (PUTRIGHT_OIDC_ISSUER); people cannot sign in, tokens work")
        yield None


@contextlib.contextmanager
def local_provider() -> Iterator[str]:
    """Run the provider that signs anyone in, on a free port of this machine; give its address.

    Only `sign_in_for` decides whether it may.
    """
    with warnings.catch_warnings():
        # It uses a part of Authlib that is on its way out; nothing of ours does.
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)
        from oidc_provider_mock import run_server_in_thread  # noqa: PLC0415 - never loaded where it may not run
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"
