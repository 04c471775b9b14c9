# SPDX-License-Identifier: Apache-2.0
"""The contact of a complainant, as `content` keeps it: whether letters reach them, and by which way."""

from __future__ import annotations

from collections.abc import Mapping


def can_be_written_to(contact: Mapping[str, str]) -> bool:
    """Return whether a letter can reach them, by mail or by post."""
    return bool(contact.get("email") or contact.get("post"))


def goes_by_post(contact: Mapping[str, str]) -> bool:
    """Return whether their letters are printed and posted: e-mail comes first where both are known."""
    return can_be_written_to(contact) and not contact.get("email")
