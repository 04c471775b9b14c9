# SPDX-License-Identifier: Apache-2.0
"""Dates in words, as letters and receipts say them."""

from __future__ import annotations

from datetime import date

_MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
}


def day_in_words(day: date, language: str) -> str:
    """Return a date as people of that language write it, or by ISO 8601 where we do not know how."""
    if language not in _MONTHS:
        return day.isoformat()
    month = _MONTHS[language][day.month - 1]
    return f"{day.day} de {month} de {day.year}" if language == "es" else f"{month} {day.day}, {day.year}"
