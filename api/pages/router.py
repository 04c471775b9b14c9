# SPDX-License-Identifier: Apache-2.0
"""All pages under one roof."""

from __future__ import annotations

from fastapi import APIRouter

from api.pages import admin, assets, audit, case, desk, entry, fixes, public, spot, supervisor, work, you_said

router = APIRouter()
for part in (assets, public, you_said, entry, work, case, spot, desk, supervisor, fixes, audit, admin):
    router.include_router(part.router)
