# SPDX-License-Identifier: Apache-2.0
"""Words as they are compared: lower case, with amounts, dates, numbers and blanked-out names folded into marks.

A letter sent by a hundred people differs in names, dates and amounts; folded, the copies are alike. Marks are digits
and capitals, which folded text never holds otherwise, so that no word can be mistaken for one.
"""

import re
import unicodedata

AMOUNT = "A0"
DATE = "D0"
NAME = "N0"
NUMBER = "0"
ADDRESS = "U0"
"""A web or mail address."""

_WEB = re.compile(r"https?://\S+|www\.\S+|\S{1,100}@\S{1,100}\.\w+")
# {$1400.00} is how the amounts of published narratives are kept; $1,400 and 1,400.00 are how people write them.
_MONEY = re.compile(r"\{?[$€£]\s?\d[\d.,]*\}?|\b\d[\d,]*[.,]\d\d\b")
_DAY = re.compile(r"\b(?:xx+|\d{1,4})(?:[/.-](?:xx+|\d{1,4})){1,2}\b")
_BLANKED = re.compile(r"\b(?:xx+\b\W*)+")
_DIGITS = re.compile(r"\b\d+(?:\d|[.,-]\d)*\b")
_HAS_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Return the words of `text` in order, folded; composed and compatible forms of a letter are one letter."""
    folded = unicodedata.normalize("NFKC", text).lower()
    if "@" in folded or "://" in folded or "www." in folded:
        folded = _WEB.sub(f" {ADDRESS} ", folded)
    has_digit, has_blanked = _HAS_DIGIT.search(folded), "xx" in folded
    if has_digit:
        folded = _MONEY.sub(f" {AMOUNT} ", folded)
    if has_digit or has_blanked:
        folded = _DAY.sub(f" {DATE} ", folded)
    if has_blanked:
        folded = _BLANKED.sub(f" {NAME} ", folded)
    if has_digit:
        folded = _DIGITS.sub(f" {NUMBER} ", folded)
    return _WORD.findall(folded)
