# SPDX-License-Identifier: Apache-2.0
"""How long to wait before a fix can be judged, against simulation."""

import math

import numpy as np
import pytest

from analytics.arrays import FloatArray
from analytics.effect_power import is_too_quiet, weeks_needed


def needed(
    rate: float, reduction: float, dispersion: float = 1.2, controls_ratio: float = 4.0, weeks_before: int = 52
) -> int | None:
    return weeks_needed(
        rate, reduction, dispersion=dispersion, controls_ratio=controls_ratio, weeks_before=weeks_before
    )


def test_the_sum_on_paper() -> None:
    # ln 0.5 = -0.6931; 1.6449 + 1.2816 = 2.9264; (0.6931 / 2.9264)² × 5 / 1.2 = 0.23376; less 1.25/52 is 0.20972;
    # (2 + 0.25) / 0.20972 = 10.7.
    assert needed(5.0, 0.5) == 11
    # With 12 weeks before: 0.23376 less 1.25/12 is 0.12959; 2.25 / 0.12959 = 17.4.
    assert needed(5.0, 0.5, weeks_before=12) == 18


def test_a_quiet_cell_never_gets_there() -> None:
    assert needed(0.5, 0.5) is None
    assert is_too_quiet(0.5)
    assert not is_too_quiet(1.0)


def test_less_to_find_more_noise_smaller_controls_and_a_shorter_past_all_take_longer() -> None:
    base = needed(10.0, 0.5)

    assert base is not None
    for harder in (needed(10.0, 0.4), needed(10.0, 0.5, dispersion=2.0), needed(10.0, 0.5, controls_ratio=1.0)):
        assert harder is not None
        assert harder > base
    assert needed(2.0, 0.5, weeks_before=26) is None or needed(2.0, 0.5, weeks_before=26) > needed(2.0, 0.5)  # type: ignore[operator]


def test_a_known_expectation_needs_the_least() -> None:
    assert needed(5.0, 0.5, controls_ratio=math.inf) == 10


@pytest.mark.parametrize(("rate", "reduction", "dispersion"), [(5.0, 0.5, 1.2), (10.0, 0.3, 2.0), (2.0, 0.7, 2.0)])
def test_after_so_many_weeks_nine_in_ten_real_reductions_show(rate: float, reduction: float, dispersion: float) -> None:
    weeks = needed(rate, reduction, dispersion)
    assert weeks is not None
    rng = np.random.default_rng(33)

    def drawn(mean: float, many: int) -> FloatArray:
        return rng.negative_binomial(mean * many / (dispersion - 1), 1 / dispersion, 20_000).astype(np.float64) + 0.5

    before, after = drawn(rate, 52), drawn(rate * (1 - reduction), weeks)
    controls_before, controls_after = drawn(4 * rate, 52), drawn(4 * rate, weeks)
    deviation = np.sqrt(dispersion * (1 / before + 1 / after + 1 / controls_before + 1 / controls_after))
    found = np.log(after / controls_after * controls_before / before) < -1.645 * deviation

    assert 0.86 <= found.mean() <= 0.96


@pytest.mark.parametrize("wrong", [{"reduction": 0.0}, {"reduction": 1.0}, {"rate": 0.0}, {"controls_ratio": 0.0}])
def test_numbers_that_no_fix_can_have_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="0"):
        needed(**{"rate": 5.0, "reduction": 0.5, **wrong})  # type: ignore[arg-type]
