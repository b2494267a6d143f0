"""Input layers: each member knows its own training rows and nothing else."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from assay.encode.features import CategoricalFeature, NumericFeature
from assay.nn.categorical import CategoricalInput
from assay.nn.numeric import NumericInput


def numeric(**changes) -> NumericFeature:
    plain = {
        "column": "x",
        "part": "value",
        "scale": "none",
        "divisor": 1.0,
        "clip": False,
        "n_bins": 0,
        "fill": "median",
        "fill_value": 0.0,
        "has_flag": False,
    }
    return NumericFeature(**{**plain, **changes})


def categorical(**changes) -> CategoricalFeature:
    plain = {
        "column": "c",
        "levels": ("a", "b", "c"),
        "encoding": "one_hot",
        "width": 4,
        "min_count": 1,
        "fill": "none",
        "fill_value": "",
        "has_flag": False,
    }
    return CategoricalFeature(**{**plain, **changes})


def fitted_numeric(feature: NumericFeature, values: list[float]) -> NumericInput:
    layer = NumericInput((feature,), 1)
    numbers = np.array(values, dtype=np.float32)[:, None]
    layer.fit(numbers, np.ones((1, len(values)), dtype=bool))
    return layer


def apply_numeric(layer: NumericInput, values: list[float]) -> np.ndarray:
    return layer(torch.tensor(values)[None, :, None])[0].numpy()


@pytest.mark.parametrize(
    ("scale", "scaler"),
    [("robust", RobustScaler()), ("standard", StandardScaler()), ("minmax", MinMaxScaler())],
)
def test_scaling_agrees_with_scikit_learn(scale, scaler, rng):
    values = rng.normal(3.0, 10.0, size=101).astype(np.float32)
    found = apply_numeric(fitted_numeric(numeric(scale=scale), values.tolist()), values.tolist())
    expected = scaler.fit_transform(values[:, None].astype(np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_division_and_no_scaling_are_exact():
    layer = fitted_numeric(numeric(scale="divide", divisor=100.0), [1.0, 2.0])
    np.testing.assert_allclose(apply_numeric(layer, [50.0, -200.0])[:, 0], [0.5, -2.0])
    layer = fitted_numeric(numeric(), [1.0, 2.0])
    np.testing.assert_allclose(apply_numeric(layer, [50.0, -200.0])[:, 0], [50.0, -200.0])


def test_robust_scale_falls_back_to_the_range_when_the_quartiles_agree():
    layer = fitted_numeric(numeric(scale="robust"), [0.0] * 20 + [4.0])
    np.testing.assert_allclose(apply_numeric(layer, [0.0, 4.0])[:, 0], [0.0, 2.0])


def test_a_constant_column_becomes_zero_not_infinity():
    for scale in ("robust", "standard", "minmax"):
        layer = fitted_numeric(numeric(scale=scale), [5.0] * 10)
        np.testing.assert_array_equal(apply_numeric(layer, [5.0, 9.0])[:, 0], [0.0, 0.0])


@pytest.mark.parametrize(
    ("fill", "expected"), [("median", 2.0), ("mean", 3.0), ("mode", 1.0), ("constant", -7.0)]
)
def test_missing_numbers_are_filled_and_flagged(fill, expected):
    feature = numeric(fill=fill, fill_value=-7.0, has_flag=True)
    layer = fitted_numeric(feature, [1.0, 1.0, 2.0, 3.0, 8.0, np.nan])
    found = apply_numeric(layer, [np.nan, 4.0])
    np.testing.assert_allclose(found, [[expected, 1.0], [4.0, 0.0]])


def test_smooth_clip_stays_within_three_even_for_the_largest_numbers():
    layer = fitted_numeric(numeric(scale="standard", clip=True), [-1.0, 1.0])
    found = apply_numeric(layer, [0.0, 3.0, 1e30, -1e30])[:, 0]
    np.testing.assert_allclose(found, [0.0, 3.0 / 2**0.5, 3.0, -3.0], atol=1e-5)


def test_piecewise_linear_encoding_by_hand():
    layer = fitted_numeric(numeric(n_bins=2), [0.0, 1.0, 2.0, 6.0, 10.0])
    found = apply_numeric(layer, [-5.0, 1.0, 2.0, 6.0, 99.0])[:, 1:]
    np.testing.assert_allclose(found, [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1]])


def test_ties_leave_unneeded_bins_at_zero():
    layer = fitted_numeric(numeric(n_bins=4), [0.0] * 90 + [1.0] * 10)
    found = apply_numeric(layer, [0.0, 1.0])[:, 1:]
    assert found.shape == (2, 4)
    np.testing.assert_allclose(found.sum(axis=1), [0.0, 1.0])


def n_bins_used(values: np.ndarray) -> int:
    layer = fitted_numeric(numeric(n_bins=8), values.tolist())
    return int((layer.inverse_width > 0).sum())


def test_a_common_value_of_many_is_one_edge_and_the_others_have_the_rest():
    zeros, others = np.zeros(2_400), np.arange(1.0, 601.0)
    assert n_bins_used(np.concatenate([zeros, others])) == 8
    assert n_bins_used(np.concatenate([zeros[:1_200], others[::2]])) == 2  # few: quantiles
    layer = fitted_numeric(numeric(n_bins=8), [*zeros, *others])
    np.testing.assert_allclose(
        np.sort(layer.left[0]), [0.0, *np.quantile(others, np.arange(7) / 7)]
    )


def test_common_values_alone_are_all_the_edges():
    assert n_bins_used(np.tile([0.0, 0.0, 0.0, 1.0, 5.0], 1_000)) == 2
    assert n_bins_used(np.ones(3_000)) == 0


def test_a_single_bin_spans_all_values():
    layer = fitted_numeric(numeric(n_bins=1), [*np.zeros(2_400), *np.arange(1.0, 601.0)])
    np.testing.assert_allclose([layer.left.item(), 1 / layer.inverse_width.item()], [0.0, 600.0])


def test_a_value_of_less_than_half_is_as_many_quantiles_as_it_fills():
    zeros, others = np.zeros(1_500), np.arange(1.0, 1_501.0)
    assert n_bins_used(np.concatenate([zeros, others])) == 5
    assert n_bins_used(np.concatenate([zeros, [0.0], others[:-1]])) == 8


def test_an_all_missing_training_column_gives_zeros():
    feature = numeric(scale="robust", clip=True, n_bins=2, has_flag=True)
    layer = fitted_numeric(feature, [np.nan, np.nan])
    np.testing.assert_array_equal(apply_numeric(layer, [np.nan]), [[0, 0, 0, 1]])


def test_no_member_sees_the_outlier_of_its_validation_rows():
    values = np.array([1.0, 2.0, 3.0, 4.0, 1e6], dtype=np.float32)[:, None]
    train = np.array([[True, True, True, True, False], [True] * 5])
    for scale in ("robust", "standard", "minmax"):
        feature = numeric(scale=scale, n_bins=3, fill="mean")
        layer = NumericInput((feature,), 2)
        layer.fit(values, train)
        alone = NumericInput((feature,), 1)
        alone.fit(values[:4], np.ones((1, 4), dtype=bool))
        for name, buffer in alone.named_buffers():
            if name in ("fill", "center", "factor", "left", "inverse_width"):
                assert torch.equal(getattr(layer, name)[0], buffer[0]), name
        assert not torch.equal(layer.fill[0], layer.fill[1])


def fitted_categorical(feature: CategoricalFeature, codes: list[int]) -> CategoricalInput:
    layer = CategoricalInput((feature,), 1)
    layer.fit(np.array(codes, dtype=np.int32)[:, None], np.ones((1, len(codes)), dtype=bool))
    return layer


def apply_categorical(layer: CategoricalInput, codes: list[int]) -> np.ndarray:
    features, _ = layer(torch.tensor(codes, dtype=torch.int32)[None, :, None])
    return features[0].numpy()


MISSING, UNSEEN, A, B, C = range(5)


def test_one_hot_marks_seen_levels_and_leaves_others_at_zero():
    layer = fitted_categorical(categorical(), [A, B, A])
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(apply_categorical(layer, [A, B, C, MISSING, UNSEEN]), expected)


def test_one_hot_can_leave_out_the_first_level():
    layer = fitted_categorical(categorical(encoding="one_hot_drop_first"), [A, B, C])
    np.testing.assert_array_equal(apply_categorical(layer, [A, B, C]), [[0, 0], [1, 0], [0, 1]])


def test_missing_is_a_state_of_its_own_with_a_flag():
    layer = fitted_categorical(categorical(has_flag=True), [A, B, C, MISSING])
    np.testing.assert_array_equal(
        apply_categorical(layer, [MISSING, A]), [[1, 0, 0, 0], [0, 1, 0, 0]]
    )


@pytest.mark.parametrize(("fill", "expected"), [("mode", [0, 1, 0]), ("constant", [0, 0, 1])])
def test_missing_levels_are_filled(fill, expected):
    layer = fitted_categorical(categorical(fill=fill, fill_value="c"), [A, B, B, MISSING])
    np.testing.assert_array_equal(apply_categorical(layer, [MISSING]), [expected])


def test_label_codes_rank_the_levels_that_were_seen():
    layer = fitted_categorical(categorical(encoding="label"), [A, C])
    np.testing.assert_array_equal(
        apply_categorical(layer, [A, C, B, MISSING])[:, 0], [0, 1, -1, -1]
    )


def test_plus_minus_is_minus_one_and_plus_one_in_the_order_of_levels():
    layer = fitted_categorical(categorical(encoding="plus_minus", levels=("M", "F")), [A, B])
    np.testing.assert_array_equal(
        apply_categorical(layer, [A, B, MISSING, UNSEEN])[:, 0], [-1, 1, 0, 0]
    )


def test_rare_levels_are_pooled_and_unseen_ones_join_them():
    layer = fitted_categorical(categorical(min_count=2), [A, A, B])
    found = apply_categorical(layer, [A, B, C, UNSEEN, MISSING])
    expected = [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    np.testing.assert_array_equal(found, expected)


def test_no_member_knows_the_level_of_its_validation_rows():
    codes = np.array([A, A, B, C], dtype=np.int32)[:, None]
    train = np.array([[True, True, True, False], [True] * 4])
    for encoding in ("one_hot", "label", "embedding"):
        layer = CategoricalInput((categorical(encoding=encoding),), 2)
        layer.fit(codes, train)
        both = torch.tensor([[[C], [UNSEEN]]], dtype=torch.int32)
        features, rows = layer(both)
        assert torch.equal(features[0, 0], features[0, 1])
        assert torch.equal(rows[0, 0], rows[0, 1])
        seen = rows[1] if encoding == "embedding" else features[1]
        assert not torch.equal(seen[0], seen[1])


def test_statistics_of_many_rows_do_not_follow_rows_that_recur(monkeypatch):
    monkeypatch.setattr("assay.nn.numeric.MAX_STATISTIC_ROWS", 1000)
    layer = NumericInput((numeric(scale="standard"),), 1)
    numbers = (np.arange(2000) % 2).astype(np.float32)[:, None]
    layer.fit(numbers, np.ones((1, 2000), dtype=bool))
    assert float(layer.center[0, 0]) == pytest.approx(0.5, abs=0.05)
    assert float(layer.factor[0, 0]) == pytest.approx(2.0, abs=0.05)
