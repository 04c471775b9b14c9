# SPDX-License-Identifier: Apache-2.0
"""All pages under one roof."""

from __future__ import annotations

from fastapi import APIRouter

from api.pages import (
    admin,
    assets,
    audit,
    case,
    coding,
    desk,
    entry,
    fix_list,
    fixes,
    public,
    signal_page,
    signals,
    spot,
    tracking,
    work,
    workload,
    you_said,
)

PARTS = (
    assets,
    public,
    tracking,
    you_said,
    entry,
    work,
    case,
    spot,
    desk,
    signal_page,
    signals,
    workload,
    coding,
    fix_list,
    fixes,
    audit,
    admin,
)
router = APIRouter()
for part in PARTS:
    router.include_router(part.router)
