# SPDX-License-Identifier: Apache-2.0
"""The nightly reading of complaints: when it comes."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

READ_AT_HOUR = 2
"""When the agency sleeps; before the weekly look, which reads what was suggested."""


def next_reading(now: datetime, zone: ZoneInfo) -> datetime:
    """Return when the complaints are next read anew, by the agency's clock."""
    local = now.astimezone(zone)
    day = local.date() if local.hour < READ_AT_HOUR else local.date() + timedelta(days=1)
    return datetime.combine(day, time(READ_AT_HOUR), zone)
