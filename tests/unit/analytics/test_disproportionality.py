# SPDX-License-Identifier: Apache-2.0
"""Out of proportion: worked examples, made-up tables whose truth is known, and the door."""

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from analytics.arrays import FloatArray, IntArray
from analytics.disproportionality import (
    FIXED_PRIOR,
    Prior,
    count_pairs,
    disproportionality,
    learn_prior,
    share_of_first_component,
    shrink,
)
from run.analyst.disproportionality import disproportionality_of
from run.analyst.tables import BadTable

CAERS_PRIOR = Prior(3.25379356, 0.39988854, 2.02612692, 1.90807970, 0.06534557)
"""The published estimate on the CAERS reports (openEBGM vignette 03)."""


def rows_of(table: list[list[int]]) -> tuple[IntArray, IntArray]:
    """Return one row per report of a table of counts."""
    counts = np.array(table)
    first, second = np.indices(counts.shape)
    return np.repeat(first.ravel(), counts.ravel()), np.repeat(second.ravel(), counts.ravel())


def made_up(truth: FloatArray, expected: FloatArray, seed: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return counts, expectations and truth of the pairs that occur."""
    count = np.random.default_rng(seed).poisson(truth * expected)
    return count[count > 0], expected[count > 0], truth[count > 0]


def test_the_published_toy_table_is_expected_as_published() -> None:
    # openEBGM vignette 02: seventeen reports of A, B, C with e1, e2.
    pairs = count_pairs(*rows_of([[5, 4], [3, 4], [1, 0]]))

    np.testing.assert_array_equal(pairs.count, [5, 4, 3, 4, 1])
    np.testing.assert_allclose(pairs.expected, [4.7647, 4.2353, 3.7059, 3.2941, 0.5294], atol=5e-5)


def test_strata_are_expected_each_for_itself() -> None:
    # Where office 0 only has stratum 0 and office 1 only stratum 1, nothing is out of proportion.
    first = np.repeat([0, 1], [10, 20])
    second = np.concatenate([np.repeat([0, 1], [8, 2]), np.repeat([0, 1], [5, 15])])

    pairs = count_pairs(first, second, stratum=first)

    np.testing.assert_allclose(pairs.expected, pairs.count)


def test_a_report_that_names_several_pairs_is_one_report() -> None:
    # Report 0 names office 0 with failures 0 and 1, the first of them twice; reports 1 and 2 name one pair each.
    first, second, report = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 0, 1]), np.array([0, 0, 0, 1, 2])

    pairs = count_pairs(first, second, report=report)

    np.testing.assert_array_equal(pairs.count, [1, 1, 1, 1])
    np.testing.assert_allclose(pairs.expected, [1 * 2 / 3, 1 * 2 / 3, 2 * 2 / 3, 2 * 2 / 3])


def test_a_report_in_two_strata_is_refused() -> None:
    two = np.array([0, 1])
    with pytest.raises(ValueError, match="one stratum"):
        count_pairs(two, two, stratum=two, report=np.zeros(2, dtype=np.int64))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="Every row"):
        count_pairs(np.array([0, 1]), np.array([0]))


def test_codes_may_be_any_numbers_and_rows_in_any_order() -> None:
    first, second = rows_of([[5, 4], [3, 4], [1, 0]])
    shuffled = np.random.default_rng(1).permutation(len(first))

    plain = count_pairs(first, second)
    far = count_pairs(first[shuffled] * 10**12 + 7, second[shuffled] * 10**15)

    np.testing.assert_array_equal(far.first, plain.first * 10**12 + 7)
    np.testing.assert_array_equal(far.count, plain.count)
    np.testing.assert_allclose(far.expected, plain.expected)


def test_the_published_pairs_have_their_published_ratios() -> None:
    count, expected = np.array([16]), np.array([0.40643623])

    ebgm, eb05, eb95 = shrink(count, expected, CAERS_PRIOR)

    np.testing.assert_allclose([ebgm[0], eb05[0], eb95[0]], [23.26, 15.68, 33.48], atol=0.01)


def test_the_ratios_are_those_of_the_posterior_by_numerical_integration() -> None:
    prior = Prior(1.3, 0.4, 8.0, 9.0, 0.3)
    n, e = 3, 1.7

    def posterior(rate: float) -> float:
        mixture = prior.mixing * stats.gamma.pdf(rate, prior.shape1, scale=1 / prior.rate1)
        mixture += (1 - prior.mixing) * stats.gamma.pdf(rate, prior.shape2, scale=1 / prior.rate2)
        return float(mixture * stats.poisson.pmf(n, rate * e))

    total = integrate.quad(posterior, 0, 40)[0]
    ebgm, eb05, eb95 = shrink(np.array([n]), np.array([e]), prior)

    log_mean = integrate.quad(lambda rate: np.log(rate) * posterior(rate), 0, 40)[0] / total
    assert np.log(ebgm[0]) == pytest.approx(log_mean, abs=1e-6)
    assert integrate.quad(posterior, 0, eb05[0])[0] / total == pytest.approx(0.05, abs=1e-6)
    assert integrate.quad(posterior, 0, eb95[0])[0] / total == pytest.approx(0.95, abs=1e-6)
    first = (
        prior.mixing
        * integrate.quad(
            lambda rate: stats.gamma.pdf(rate, prior.shape1, scale=1 / prior.rate1) * stats.poisson.pmf(n, rate * e),
            0,
            99,
        )[0]
    )
    assert share_of_first_component(np.array([n]), np.array([e]), prior)[0] == pytest.approx(first / total, abs=1e-6)


def test_the_prior_is_learnt_from_the_pairs() -> None:
    # Each component truncated for itself, as the likelihood has it: the mixing is that of the pairs that occur.
    rng = np.random.default_rng(3)
    pairs = 60_000
    is_first = rng.random(pairs) < 0.2
    truth = np.where(is_first, rng.gamma(4.0, 1.0, pairs), rng.gamma(6.0, 1 / 6.0, pairs))

    prior = learn_prior(*made_up(truth, np.full(pairs, 8.0), 4)[:2])  # hardly a pair goes unseen with 8 expected

    assert prior.is_learnt
    assert prior.mixing == pytest.approx(0.2, abs=0.02)
    assert prior.shape1 / prior.rate1 == pytest.approx(4.0, rel=0.05)
    assert prior.shape2 / prior.rate2 == pytest.approx(1.0, rel=0.05)
    assert prior.mean == pytest.approx(1.6, rel=0.02)


def test_a_squashed_table_gives_nearly_the_same_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    truth = np.where(rng.random(20_000) < 0.1, rng.gamma(5.0, 0.8, 20_000), rng.gamma(4.0, 0.25, 20_000))
    count, expected, _ = made_up(truth, rng.lognormal(0.0, 1.0, 20_000), 6)

    full = learn_prior(count, expected)
    monkeypatch.setattr("analytics.disproportionality.MOST_POINTS_TO_FIT", 1_000)
    squashed = learn_prior(count, expected)

    assert squashed.mean == pytest.approx(full.mean, rel=1e-3)
    np.testing.assert_allclose(shrink(count, expected, squashed)[1], shrink(count, expected, full)[1], rtol=5e-3)


def test_where_nothing_is_out_of_proportion_nothing_is_called_so() -> None:
    for seed in range(5):
        expected = np.random.default_rng(seed).lognormal(0.0, 1.5, 2_000)
        count, expected, _ = made_up(np.ones(2_000), expected, seed)

        _, eb05, _ = shrink(count, expected, learn_prior(count, expected))

        assert ((eb05 >= 2) & (count >= 3)).sum() == 0


def test_the_office_that_was_always_bad_is_found_and_the_bounds_hold() -> None:
    rng = np.random.default_rng(8)
    truth = np.where(rng.random(4_000) < 0.04, rng.uniform(3.0, 6.0, 4_000), rng.gamma(20.0, 1 / 20, 4_000))
    count, expected, truth = made_up(truth, rng.lognormal(1.0, 1.0, 4_000), 9)

    _, eb05, eb95 = shrink(count, expected, learn_prior(count, expected))

    called = (eb05 >= 2) & (count >= 3)
    assert (truth[called] < 2).mean() <= 0.03
    assert called[(truth > 3.5) & (expected > 8)].mean() >= 0.9
    assert (truth < eb05).mean() <= 0.08
    assert (truth > eb95).mean() <= 0.08


def test_a_few_offices_and_failures_are_judged_by_the_fixed_prior() -> None:
    found = disproportionality(*rows_of([[2, 30, 28], [1, 25, 33], [19, 22, 24]]))

    assert found.prior == FIXED_PRIOR
    assert not found.prior.is_learnt
    ratio = (found.pairs.count + 0.5) / (found.pairs.expected + 0.5)
    assert np.all(found.ebgm < ratio)  # a geometric mean lies below the mean
    np.testing.assert_allclose(found.ebgm, ratio, rtol=0.4)
    assert found.eb05.argmax() == 6
    assert np.all((found.eb05 < found.ebgm) & (found.ebgm < found.eb95))


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_of_nothing_or_of_one_report_is_judged_too(rows: int) -> None:
    none = np.zeros(rows, dtype=np.int64)

    found = disproportionality(none, none)

    assert len(found.ebgm) == rows
    assert np.isfinite(found.ebgm).all()


def test_very_large_counts_and_tiny_expectations_stay_finite() -> None:
    count = np.array([1, 1_000_000, 3, 100_000])
    expected = np.array([1e-9, 1e6, 1e-7, 1.0])
    for prior in (CAERS_PRIOR, FIXED_PRIOR, Prior(1e3, 1e3, 1e-3, 1e-3, 0.999999)):
        for values in shrink(count, expected, prior):
            assert np.isfinite(values).all()
            assert (values >= 0).all()


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_the_door_writes_the_most_out_of_proportion_first(tmp_path: Path) -> None:
    rows = ["leeds,lost"] * 9 + ["leeds,late"] * 3 + ["york,lost"] * 2 + ["york,late"] * 30 + ['"york, north",late']
    pairs = write(tmp_path / "pairs.csv", "\ufeff" + "\r\n".join(["a,b", *rows]) + "\r\n\r\n")

    said = disproportionality_of(pairs, tmp_path / "ebgm.csv")

    written = (tmp_path / "ebgm.csv").read_text(encoding="utf-8").splitlines()
    assert written[0] == "a,b,n,expected,ebgm,eb05,eb95"
    assert written[1].startswith("leeds,lost,9,2.933333,")
    assert len(written) == 6
    assert any(line.startswith('"york, north",late,1,') for line in written)
    assert said.startswith("5 pairs, of which 0 with 3 reports or more")
    assert "fixed prior" in said
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_door_counts_a_report_once_and_knows_strata(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.csv", "id,stratum,b,a\n1,post,lost,leeds\n1,post,late,leeds\n2,web,late,york\n")

    disproportionality_of(pairs, tmp_path / "ebgm.csv")

    written = sorted((tmp_path / "ebgm.csv").read_text(encoding="utf-8").splitlines()[1:])
    assert [line.split(",")[:4] for line in written] == [
        ["leeds", "late", "1", "1.0"],
        ["leeds", "lost", "1", "1.0"],
        ["york", "late", "1", "1.0"],
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1: there is no column a"),
        ("a\nx\n", "line 1: there is no column b"),
        ("a,b,n\nx,y,3\n", "line 1: the column 'n' is unknown"),
        ("a,b,a\nx,y,x\n", "line 1: the column a is there twice"),
        ("a,b\n", "no pairs below its heading"),
        ("a,b\nx,y\nx\n", "line 3: the heading has 2 fields and this row 1"),
        ("a,b\nx,y\nx, \n", "line 3: b is empty"),
        ("a,b,id,stratum\nx,y,1,post\nx,z,1,web\n", "line 3: an earlier row puts this report into another stratum"),
        ('a,b\nx,y\n"x"z,y\n', "line 3: this is not CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_its_line_and_nothing_is_written(
    tmp_path: Path, text: str, sentence: str
) -> None:
    pairs = write(tmp_path / "pairs.csv", text)

    with pytest.raises(BadTable, match=sentence.replace("(", r"\(")):
        disproportionality_of(pairs, tmp_path / "ebgm.csv")

    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]


def test_a_missing_file_or_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=r"cannot be read: No such file"):
        disproportionality_of(tmp_path / "absent.csv", tmp_path / "ebgm.csv")
    (tmp_path / "latin.csv").write_bytes("a,b\ncafé,x\n".encode("latin-1"))
    with pytest.raises(BadTable, match="not in UTF-8"):
        disproportionality_of(tmp_path / "latin.csv", tmp_path / "ebgm.csv")
    good = write(tmp_path / "pairs.csv", "a,b\nx,y\n")
    with pytest.raises(BadTable, match="cannot be written"):
        disproportionality_of(good, tmp_path / "nowhere" / "ebgm.csv")


def test_a_result_that_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    good = write(tmp_path / "pairs.csv", "a,b\nx,y\n")
    (tmp_path / "ebgm.csv").mkdir()

    with pytest.raises(BadTable, match="cannot be written"):
        disproportionality_of(good, tmp_path / "ebgm.csv")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["ebgm.csv", "pairs.csv"]
