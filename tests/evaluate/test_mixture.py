"""What ships is fitted on all left-out rows; what is told of it, on others than it judges."""

import numpy as np
import pytest

from assay.candidates.blend import fit_weights
from assay.evaluate.calibration import (
    apply_temperature,
    apply_vector,
    fit_temperature,
    fit_vector,
    mix_weight,
)
from assay.evaluate.mixture import Mixture, cross_fitted, fit_mixture, prior_share
from assay.nn.core_graph import Calibration


def make_logs(n_rows: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two candidates that each see one half of the truth, (1, N, 2) each."""
    signal = rng.normal(size=(2, n_rows))
    y = (rng.random(n_rows) < 1 / (1 + np.exp(-2 * signal.sum(axis=0)))).astype(int)
    logs = {}
    for name, part in zip(("first", "second"), signal, strict=True):
        logs[name] = -np.logaddexp(0.0, np.stack([2 * part, -2 * part], axis=1))[None]
    return logs, y


def test_one_candidate_has_all_the_weight_and_a_temperature(rng):
    logs, y = make_logs(400, rng)
    found = fit_mixture(logs, ("first",), y, is_calibrated=True)
    proba = np.exp(logs["first"][0])
    assert found.weights == {"first": 1.0}
    # Rounded otherwise by some processors: the mixture takes the logarithm once more.
    assert found.calibration.temperature == pytest.approx(fit_temperature(proba, y), rel=1e-12)
    assert found.calibration == Calibration(found.calibration.temperature, mix_weight(400))
    expected = apply_temperature(proba, found.calibration.temperature, mix=1 / 401)
    np.testing.assert_allclose(found.apply({"first": logs["first"][0]}), expected, atol=1e-12)


def test_halves_of_the_truth_are_weighed_alike_and_sharpened(rng):
    logs, y = make_logs(4000, rng)
    found = fit_mixture(logs, ("first", "second"), y, is_calibrated=True)
    assert found.weights["first"] == pytest.approx(0.5, abs=0.05)
    assert found.calibration.temperature == pytest.approx(0.5, abs=0.05)  # 2 logits of half


def test_a_row_has_no_part_in_what_judges_it(rng):
    logs, y = make_logs(100, rng)
    before = cross_fitted(logs, ("first", "second"), y, is_calibrated=True, seed=0)
    flipped = y.copy()
    flipped[7] = 1 - flipped[7]
    after = cross_fitted(logs, ("first", "second"), flipped, is_calibrated=True, seed=0)
    np.testing.assert_array_equal(after[:, 7], before[:, 7])
    assert not np.array_equal(after, before)


def test_without_calibration_a_candidate_is_left_as_it_is(rng):
    logs, y = make_logs(50, rng)
    found = cross_fitted(logs, ("first",), y, is_calibrated=False, seed=0)
    np.testing.assert_allclose(found, np.exp(logs["first"]), atol=1e-12)


def test_repeats_that_do_not_judge_a_row_stay_silent(rng):
    logs, y = make_logs(60, rng)
    twice = {name: np.concatenate([part, part]) for name, part in logs.items()}
    for part in twice.values():
        part[1, :30] = np.nan
    found = cross_fitted(twice, ("first", "second"), y, is_calibrated=True, seed=0)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1, :30]).all()
    np.testing.assert_allclose(found[1, 30:], found[0, 30:])


def test_rows_of_a_group_share_a_part(rng):
    logs, y = make_logs(100, rng)
    groups = np.repeat(np.arange(10), 10)
    before = cross_fitted(logs, ("first",), y, is_calibrated=True, seed=0, groups=groups)
    flipped = np.where(groups == 3, 1 - y, y)
    after = cross_fitted(logs, ("first",), flipped, is_calibrated=True, seed=0, groups=groups)
    np.testing.assert_array_equal(after[:, groups == 3], before[:, groups == 3])


def test_two_rows_are_judged_without_a_fit():
    logs = {"only": np.log([[[0.7, 0.3], [0.4, 0.6]]])}
    found = cross_fitted(logs, ("only",), np.array([0, 1]), is_calibrated=True, seed=0)
    assert np.isfinite(found).all()
    assert Mixture({"only": 1.0}).apply({"only": logs["only"][0]})[0, 0] == pytest.approx(0.7)


@pytest.mark.parametrize(("n_rows", "share"), [(400, 0.5), (2000, 0.25)])
def test_weights_of_few_rows_are_drawn_further_to_the_prior(rng, n_rows, share):
    logs, y = make_logs(n_rows, rng)
    named = {"boosting": logs["first"], "network": logs["second"]}
    plain = fit_mixture(logs, ("first", "second"), y, is_calibrated=False)
    drawn = fit_mixture(named, ("boosting", "network"), y, is_calibrated=False)
    kept = 1.0 - share
    assert drawn.weights["boosting"] == pytest.approx(kept * plain.weights["first"] + share * 0.4)
    assert drawn.weights["network"] == pytest.approx(kept * plain.weights["second"] + share * 0.6)


def test_without_rows_the_prior_has_its_half():
    assert prior_share(0) == prior_share(500) == 0.5
    assert prior_share(100_000) < 0.04


def make_sure(y: np.ndarray, sureness: float, rng: np.random.Generator) -> np.ndarray:
    """A candidate that tells two classes by logits of about `sureness`, (1, N, 2)."""
    logit = (2 * y - 1) * sureness + rng.normal(size=len(y))
    return -np.logaddexp(0.0, np.stack([logit, -logit], axis=1))[None]


@pytest.mark.parametrize(
    ("network", "boosting", "least", "most"),
    [
        (9.0, 7.0, 0.99, 1.0),  # nearly solved, best by the networks
        (2.3, 2.2, 0.75, 0.97),  # a little is left
        (4.0, 9.0, 0.0, 0.4),  # best by the trees
        (1.5, 1.4, 0.4, 0.8),  # noisy
    ],
)
def test_networks_lead_where_hardly_anything_is_left_to_tell(rng, network, boosting, least, most):
    y = rng.integers(0, 2, 2000)
    logs = {"boosting": make_sure(y, boosting, rng), "network": make_sure(y, network, rng)}
    weights = fit_mixture(logs, ("boosting", "network"), y, is_calibrated=False).weights
    assert least <= weights["network"] <= most
    assert sum(weights.values()) == pytest.approx(1.0)
    assert min(weights.values()) >= 0.01


def test_without_networks_weights_are_as_fitted(rng):
    y = rng.integers(0, 2, 2000)
    logs = {"boosting": make_sure(y, 2.0, rng), "other": make_sure(y, 2.0, rng)}
    weights = fit_mixture(logs, ("boosting", "other"), y, is_calibrated=False).weights
    expected = fit_weights(np.concatenate(list(logs.values())), y)
    assert weights == {"boosting": pytest.approx(expected[0]), "other": pytest.approx(expected[1])}


def test_rows_that_are_not_named_are_not_fitted_on(rng):
    logs, y = make_logs(200, rng)
    rows = np.arange(0, 200, 2)
    flipped = np.where(np.arange(200) % 2 == 1, 1 - y, y)
    found = [
        fit_mixture(logs, ("first",), labels, is_calibrated=True, row_idx=rows)
        for labels in (y, flipped)
    ]
    assert found[0] == found[1]


def test_vector_scaling_is_fitted_on_other_rows_than_it_judges(rng):
    logs, y = make_logs(200, rng)
    named = {"is_calibrated": True, "seed": 0, "method": "vector"}
    before = cross_fitted(logs, ("first", "second"), y, **named)
    flipped = y.copy()
    flipped[7] = 1 - flipped[7]
    after = cross_fitted(logs, ("first", "second"), flipped, **named)
    np.testing.assert_array_equal(after[:, 7], before[:, 7])
    assert not np.array_equal(after, before)
    fitted = fit_mixture(logs, ("first",), y, is_calibrated=True, method="vector")
    assert len(fitted.calibration.factors) == len(fitted.calibration.shifts) == 2
    assert set(fitted.calibration.to_dict()) == {"temperature", "mix", "factors", "shifts"}
    proba = np.exp(logs["first"][0])
    expected = apply_vector(proba, *fit_vector(proba, y), mix=mix_weight(200))
    np.testing.assert_allclose(fitted.apply({"first": logs["first"][0]}), expected, atol=1e-9)


def test_a_mixture_of_many_rows_is_applied_in_blocks_to_the_same_numbers(rng, monkeypatch):
    logs = {name: np.log(rng.dirichlet(np.ones(3), (2, 50))) for name in ("first", "second")}
    mixture = Mixture({"first": 0.3, "second": 0.7}, Calibration(1.4, 0.01))
    whole = mixture.apply(logs)
    monkeypatch.setattr("assay.evaluate.mixture.BLOCK_ROWS", 7)
    np.testing.assert_array_equal(mixture.apply(logs), whole)
    one = mixture.apply({name: part[0, 4] for name, part in logs.items()})
    np.testing.assert_allclose(one, whole[0, 4], rtol=1e-15)
