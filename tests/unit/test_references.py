# SPDX-License-Identifier: Apache-2.0
"""Ids, references that can be read out on the telephone, and the complainant's secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from models.references import (
    CROCKFORD,
    case_id_of,
    is_secret,
    moment_of,
    normal_reference,
    reference_for,
    secret_for,
    uuid7_at,
    workflow_id_for,
)

AT = datetime(2026, 3, 2, 15, 0, 0, 123_000, tzinfo=UTC)
CASE_ID = uuid7_at(AT, bytes(range(10)))
KEY = b"k" * 32


def test_a_case_id_is_a_version_7_uuid_that_carries_its_moment() -> None:
    assert (CASE_ID.version, CASE_ID.variant) == (7, "specified in RFC 4122")
    assert moment_of(CASE_ID) == AT


def test_the_example_of_the_standard_comes_out() -> None:
    """RFC 9562, appendix A.6: 2022-02-22 14:22:22.00 -5:00, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F."""
    at = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    randomness = (0xCC3 << 68 | 0x18C4DC0C0C07398F).to_bytes(10, "big")

    assert uuid7_at(at, randomness) == UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


def test_later_ids_are_greater_whatever_was_drawn() -> None:
    assert uuid7_at(AT, b"\xff" * 10) < uuid7_at(AT + timedelta(milliseconds=1), bytes(10))


def test_two_ids_of_one_moment_differ() -> None:
    assert uuid7_at(AT) != uuid7_at(AT)


def test_a_workflow_id_leads_to_its_case_and_other_workflows_to_none() -> None:
    assert case_id_of(workflow_id_for(CASE_ID)) == CASE_ID
    assert case_id_of("root-cause/riverbend") is None


def test_a_reference_has_the_agencys_prefix_and_letters_that_cannot_be_mistaken() -> None:
    prefix, *groups = reference_for("RIV", CASE_ID).split("-")

    assert prefix == "RIV"
    assert [len(group) for group in groups] == [4, 4, 4]
    assert set("".join(groups)) <= set(CROCKFORD)
    assert set("ILOU").isdisjoint(CROCKFORD)


def test_references_of_one_moment_differ() -> None:
    assert len({reference_for("RIV", uuid7_at(AT)) for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize(
    "typed",
    [
        "RIV-1K0A-7Q2M-00ZX",
        "riv-1k0a-7q2m-00zx",
        "RIV1K0A7Q2M00ZX",
        " riv 1k0a 7q2m 00zx ",
        "RIV–1K0A–7Q2M–00ZX",
        "RIV-IK0A-7Q2M-OOZX",
        "riv-lkoa-7q2m-oozx",
    ],
)
def test_a_typed_reference_is_forgiven_what_people_mistake(typed: str) -> None:
    assert normal_reference(typed) == "RIV-1K0A-7Q2M-00ZX"


@pytest.mark.parametrize(
    "typed", ["", "RIV", "1K0A-7Q2M-00ZX", "-----", "R-1K0A-7Q2M-00ZX", "1IV-1K0A-7Q2M-00ZX", "x" * 400]
)
def test_what_is_no_reference_is_none(typed: str) -> None:
    assert normal_reference(typed) is None


def test_every_reference_reads_back_as_itself() -> None:
    for _ in range(200):
        reference = reference_for("RIV", uuid7_at(AT))
        assert normal_reference(reference) == reference


def test_a_secret_comes_out_of_the_id_and_the_key_each_time_the_same() -> None:
    secret = secret_for(CASE_ID, KEY)

    assert secret == secret_for(CASE_ID, KEY)
    assert secret != secret_for(CASE_ID, b"K" * 32)
    assert secret != secret_for(uuid7_at(AT), KEY)


def test_a_secret_is_known_however_it_is_typed_and_no_other_is() -> None:
    secret = secret_for(CASE_ID, KEY)

    assert is_secret(secret, CASE_ID, KEY)
    assert is_secret(secret.lower().replace("-", " "), CASE_ID, KEY)
    assert not is_secret(secret[:-1], CASE_ID, KEY)
    assert not is_secret(secret_for(uuid7_at(AT), KEY), CASE_ID, KEY)
    assert not is_secret("", CASE_ID, KEY)


def test_nothing_of_the_reference_tells_the_secret() -> None:
    assert secret_for(CASE_ID, KEY) not in reference_for("RIV", CASE_ID)
