# SPDX-License-Identifier: Apache-2.0
"""All pages under one roof."""

from __future__ import annotations

from fastapi import APIRouter

from api.pages import admin, assets, audit, case, desk, entry, public, spot, supervisor, work

router = APIRouter()
for part in (assets, public, entry, work, case, spot, desk, supervisor, audit, admin):
    router.include_router(part.router)
