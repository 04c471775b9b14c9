# SPDX-License-Identifier: Apache-2.0
"""The posterior of a rate ratio and the e-value, against scipy's distributions and simulation."""

import numpy as np
import pytest
from scipy import stats

from analytics.always_valid import KNOWN_CONTROLS, Totals, e_values, ratio_posterior
from analytics.arrays import FloatArray

SURE = np.ones(1)


def totals(
    before: float, before_controls: float, after: list[float], after_controls: list[float], dispersion: float = 1.0
) -> Totals:
    return Totals(
        np.array([before]),
        np.array([before_controls]),
        np.array([after]),
        np.array([after_controls]),
        np.array([dispersion]),
    )


def known(before: float, after: float, weeks_before: float, weeks_after: float, dispersion: float = 1.0) -> Totals:
    """Return totals of a target whose expectation is the number of weeks, known without error."""
    scale = KNOWN_CONTROLS * before
    return totals(before, weeks_before * scale, [after], [weeks_after * scale], dispersion)


def test_without_noise_in_the_controls_the_ratio_is_that_of_two_gamma_distributed_rates() -> None:
    posterior = ratio_posterior(known(260, 65, 52, 26))

    # A ratio of gamma variables is an F variable; Jeffreys' prior on the ratio and on the rate before give the shapes
    # 65 + 1/2 and 260 + 1/2 - 1/2; 2 is weeks before over weeks after.
    ratio = stats.f(2 * 65.5, 2 * 260.0)
    scale = 65.5 / 260.0 * 2
    for chance in (0.05, 0.5, 0.95):
        assert posterior.quantile(chance)[0] == pytest.approx(ratio.ppf(chance) * scale, rel=0.004)
    assert posterior.chance_at_most(0.6)[0] == pytest.approx(ratio.cdf(0.6 / scale), abs=0.002)


def test_noise_in_the_controls_widens_the_interval() -> None:
    sure = ratio_posterior(known(260, 65, 52, 26))
    unsure = ratio_posterior(totals(260, 260, [65], [130]))

    assert unsure.quantile(0.95)[0] > sure.quantile(0.95)[0] * 1.05


def test_twice_the_dispersion_is_half_the_complaints() -> None:
    dispersed = ratio_posterior(totals(260, 1040, [65], [520], dispersion=2.0))
    halved = ratio_posterior(totals(130, 520, [32.5], [260]))

    assert dispersed.quantile(0.05)[0] == pytest.approx(halved.quantile(0.05)[0])


def test_no_complaint_at_all_still_has_an_interval() -> None:
    posterior = ratio_posterior(known(100, 0, 52, 26))

    # The F distribution as above, whose mass is spread over many powers of ten below.
    assert posterior.quantile(0.95)[0] == pytest.approx(stats.f(1, 2 * 100).ppf(0.95) * 0.5 / 100 * 2, rel=0.02)


def test_the_interval_covers_the_true_ratio_nine_times_in_ten() -> None:
    rng = np.random.default_rng(31)
    fixes = 1_500
    drawn = Totals(
        rng.poisson(100, fixes).astype(float),
        rng.poisson(300, fixes).astype(float),
        rng.poisson(30, (fixes, 1)).astype(float),
        rng.poisson(150, (fixes, 1)).astype(float),
        np.ones(fixes),
    )

    posterior = ratio_posterior(drawn)

    covered = (posterior.quantile(0.05) <= 0.6) & (posterior.quantile(0.95) >= 0.6)
    assert 0.875 <= covered.mean() <= 0.925


def test_before_anything_has_come_there_is_no_evidence() -> None:
    assert e_values(totals(260, 1040, [0], [0]), null_ratio=0.9, hoped_ratio=0.5)[0, 0] == pytest.approx(1.0)


def test_evidence_grows_with_a_fall_and_shrinks_without_one() -> None:
    weeks = np.array([4.0, 8.0, 16.0])
    fallen = e_values(totals(260, 1040, list(2.5 * weeks), list(20 * weeks)), null_ratio=0.9, hoped_ratio=0.5)[0]
    not_fallen = e_values(totals(260, 1040, list(5.0 * weeks), list(20 * weeks)), null_ratio=0.9, hoped_ratio=0.5)[0]

    assert (np.diff(fallen) > 0).all()
    assert fallen[-1] > 20
    assert (np.diff(not_fallen) < 0).all()
    assert not_fallen[0] < 1


def test_with_a_known_expectation_the_e_value_is_the_mixture_of_poisson_likelihood_ratios() -> None:
    ours = e_values(known(1e7, 4, 1e7, 10), null_ratio=0.9, hoped_ratio=0.5)[0, 0]

    ratio = np.linspace(1e-4, 0.9, 20_001)
    weight = stats.gamma(8, scale=0.5 / 8).pdf(ratio)
    likelihood = stats.poisson.pmf(4, 10 * ratio) / stats.poisson.pmf(4, 9)
    assert ours == pytest.approx((likelihood * weight).sum() / weight.sum(), rel=0.02)


@pytest.mark.parametrize("dispersion", [1.05, 1.2, 2.0, 5.0, 20.0])
def test_likelihood_ratios_to_the_power_of_one_over_the_dispersion_keep_their_expectation(dispersion: float) -> None:
    ratio = np.linspace(0.001, 1.0, 1_000)
    excess = dispersion - 1.0

    # E[r^(Y/φ)] exp(m(1 - r)/φ) ≤ 1 for negative-binomial Y with mean m and variance φ m, in logarithms and per m.
    assert (np.log1p(excess * (1 - ratio ** (1 / dispersion))) / excess - (1 - ratio) / dispersion >= -1e-12).all()


@pytest.mark.parametrize("dispersion", [1.0, 2.0])
def test_looked_at_every_week_for_two_years_the_e_value_hardly_ever_reaches_twenty_by_chance(
    dispersion: float,
) -> None:
    rng = np.random.default_rng(32)
    fixes, weeks = 300, 104

    def drawn(mean: float, many: int) -> FloatArray:
        if dispersion == 1.0:
            return rng.poisson(mean, (fixes, many)).astype(float)
        return rng.negative_binomial(mean, 0.5, (fixes, many)).astype(float)

    looked = Totals(
        drawn(5, 52).sum(axis=1),
        drawn(20, 52).sum(axis=1),
        drawn(4.5, weeks).cumsum(axis=1)[:, 3::4],  # every fourth look, for the test's speed
        drawn(20, weeks).cumsum(axis=1)[:, 3::4],
        np.full(fixes, dispersion),
    )

    reached = (e_values(looked, null_ratio=0.9, hoped_ratio=0.5) >= 20).any(axis=1)

    assert reached.mean() <= 0.05
