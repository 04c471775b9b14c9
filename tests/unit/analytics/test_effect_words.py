# SPDX-License-Identifier: Apache-2.0
"""What a supervisor reads about a fix."""

from dataclasses import replace

import numpy as np

from analytics.effect import Chart, Effect, EffectSettings, RateRatio, Verdict
from analytics.effect_checks import Checks, Intake, Neighbour, Placebo
from analytics.effect_words import LeftOut, sentences

NOTHING = np.zeros(0)
EFFECT = Effect(
    verdict=Verdict.EFFECTIVE,
    weeks_still_needed=None,
    rate_ratio=RateRatio(0.484, 0.36, 0.64),
    probability_reduced=0.999,
    probability_worthwhile=0.98,
    probability_target_met=0.6,
    e_value=55.0,
    highest_e_value=60.0,
    e_value_worthwhile=9.0,
    since_column=1,
    success_column=2,
    relapse_column=None,
    observed=31,
    expected=64.2,
    dispersion=1.2,
    weeks_before=52,
    weeks_after=12,
    planned_weeks=11,
    complaints_per_week=5.3,
    chart=Chart(NOTHING, NOTHING, NOTHING),
)
FINE = Checks(Placebo(160, 1), (), Intake(RateRatio(1.0, 0.9, 1.1), has_changed=False, silent=()))
WEEKS = ("December 29, 2025", "January 5, 2026", "January 12, 2026")
NAMES = ("Leeds", "York", "Hull")


def said(effect: Effect, checks: Checks = FINE, left_out: LeftOut | None = None) -> tuple[str, ...]:
    return sentences(effect, checks, left_out or LeftOut(), EffectSettings(), names=NAMES, weeks=WEEKS)


def test_an_effective_fix_is_said_in_three_sentences() -> None:
    assert said(EFFECT) == (
        "Since January 5, 2026: 31 complaints where 64 would have been expected without the change.",
        "That is 52% fewer; with 90% certainty between 36% fewer and 64% fewer.",
        (
            "The fix is effective: if complaints had fallen by less than 10%, evidence this strong would turn up "
            "for at most one fix in 20, however often one looks."
        ),
    )


def test_a_fix_that_did_not_work_is_said_with_how_sure_that_is() -> None:
    failed = replace(
        EFFECT,
        verdict=Verdict.NOT_EFFECTIVE,
        success_column=None,
        rate_ratio=RateRatio(1.08, 0.9, 1.3),
        probability_worthwhile=0.004,
    )

    assert said(failed)[1:] == (
        "That is 8% more; with 90% certainty between 30% more and 10% fewer.",
        "The fix is not effective: with 99% certainty complaints have not fallen by 20%.",
    )


def test_controls_that_were_closed_are_to_be_left_out() -> None:
    blind = replace(
        EFFECT, verdict=Verdict.NOT_YET_KNOWN, success_column=None, rate_ratio=RateRatio(1e7, 1e5, 6e7), expected=0.0
    )
    closed = replace(FINE, intake=Intake(RateRatio(0.0, 0.0, 0.1), has_changed=True, silent=((1, 20),)))

    assert "with 90% certainty between more than 10 times as many and" in said(blind, closed)[1]
    assert said(blind, closed)[3] == (
        "Nothing comes any more where it should: judge again without the series that were closed."
    )


def test_a_fix_that_worked_and_came_back_is_said_so() -> None:
    back = replace(EFFECT, verdict=Verdict.NOT_EFFECTIVE, relapse_column=2)

    assert said(back)[2] == "The fix is not effective: it worked at first, but by January 12, 2026 it had come back."


def test_what_is_not_yet_known_says_when_it_will_be() -> None:
    early = replace(
        EFFECT, verdict=Verdict.NOT_YET_KNOWN, success_column=None, weeks_still_needed=12, weeks_after=3, observed=1
    )

    assert said(early)[0].startswith("Since January 5, 2026: 1 complaint where")
    assert said(early)[2:] == (
        "It is not yet known whether the fix works.",
        "If complaints fall as planned, 12 more weeks will tell.",
    )
    late = replace(early, weeks_after=30, weeks_still_needed=1)
    assert said(late)[3] == "If things go on like this, 1 more week will tell."
    never = replace(late, weeks_still_needed=None)
    assert "hardly ever be known: widen the cell" in said(never)[3]


def test_a_quiet_cell_is_said_to_be_too_small() -> None:
    quiet = replace(EFFECT, verdict=Verdict.NOT_YET_KNOWN, success_column=None, complaints_per_week=0.42)

    assert said(quiet)[3].startswith("With 0.4 complaints a week before the change the cell is too small")


def test_before_the_first_week_there_is_nothing_to_say_about_counts() -> None:
    waiting = replace(EFFECT, verdict=Verdict.NOT_YET_KNOWN, success_column=None, since_column=None, weeks_after=0)

    assert said(waiting)[0] == "No week after the change has been counted yet."


def test_what_was_left_out_is_said() -> None:
    given = LeftOut(trigger_weeks=8, trigger_was_given=True, transition_weeks=2, masked_weeks=1)
    found = LeftOut(trigger_weeks=4)

    assert said(EFFECT, left_out=given)[3] == (
        "Left out: 8 weeks that raised the signal, 2 weeks of transition, 1 week that were masked."
    )
    assert said(EFFECT, left_out=found)[3] == "Left out: 4 weeks that were unusually high before the change."


def test_every_check_that_fails_is_said() -> None:
    moved = Neighbour(2, RateRatio(1.6, 1.3, 2.0), 0.999, has_risen=True, extra_count=29.6)
    stayed = Neighbour(1, RateRatio(1.0, 0.8, 1.2), 0.5, has_risen=False, extra_count=0.1)
    failed = Checks(
        Placebo(160, 20), (stayed, moved), Intake(RateRatio(0.5, 0.4, 0.6), has_changed=True, silent=((0, 7),))
    )

    assert said(EFFECT, failed)[3:] == (
        (
            "Of 160 changes that never were, 20 seemed to work: target and controls do not run alike, and the "
            "verdict is not to be relied on."
        ),
        "Hull rose meanwhile, by about 30 complaints: they may have moved there.",
        "The controls themselves changed: 50% fewer. Was a channel opened or closed, or a form changed?",
        (
            "Leeds has had no complaint at all for the last 7 weeks: was a channel closed, "
            "or does what came last wait to be coded?"
        ),
    )


def test_a_success_that_placebos_have_as_well_is_no_proof() -> None:
    held = replace(EFFECT, verdict=Verdict.NOT_YET_KNOWN)

    assert said(held, replace(FINE, placebo=Placebo(100, 9)))[3].startswith("The fall would be proof enough")


def test_without_controls_the_reader_is_warned() -> None:
    alone = replace(FINE, intake=Intake(None, has_changed=False, silent=()))

    assert said(EFFECT, alone)[3].startswith("There are no controls")
