# SPDX-License-Identifier: Apache-2.0
"""Words as they are compared."""

import pytest

from analytics.text.normalising import ADDRESS, AMOUNT, DATE, NAME, NUMBER, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("They SAID: no!", ["they", "said", "no"]),
        ("I paid {$1400.00} on XX/XX/2015", ["i", "paid", AMOUNT, "on", DATE]),
        ("I paid $1,400 and £3.50, not 12.99", ["i", "paid", AMOUNT, "and", AMOUNT, "not", AMOUNT]),
        ("on 2026-11-22 or 3/4/26", ["on", DATE, "or", DATE]),
        ("with XXXX XXXX XXXX bank", ["with", NAME, "bank"]),
        ("case 48213, twice", ["case", NUMBER, "twice"]),
        ("see https://example.org/a?b=c or me@example.org", ["see", ADDRESS, "or", ADDRESS]),
        ("don't, don’t", ["don't", "don’t"]),
        ("Ｓｔｒａße 東京", ["straße", "東京"]),
        ("--- !!", []),
        ("", []),
    ],
)
def test_words_are_folded(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_two_senders_of_one_letter_used_the_same_words() -> None:
    one = "My name is XXXX XXXX. On 03/04/2026 you took $1,400.00 from account 5512."
    other = "My name is XXXX XXXX XXXX. On 11/12/2026 you took $85.10 from account 99817."

    assert words_of(one) == words_of(other)
