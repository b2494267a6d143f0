"""A population can be made for some of the members, and loses those that diverged."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from assay.ledger import Ledger
from assay.nn.parts import inner_parts
from assay.recipe import Recipe
from assay.samples import Samples, read_samples
from assay.training.predictions import score_members
from assay.training.rows import RowSet
from assay.training.setup import (
    first_members,
    of_members,
    random_part,
    set_up,
    tell_class_weights,
    without_diverged,
)

CPU = torch.device("cpu")


def make_samples(**options: object) -> tuple[Samples, Recipe]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=150)
    frame = pl.DataFrame(
        {
            "x": x,
            "level": rng.choice(list("abcdefghijkl"), size=150),
            "text": [f"word{idx % 7} and more words {idx}" for idx in range(150)],
            "y": (x > 0).astype(int),
        }
    )
    chosen = {"target": "y", "model.hidden": [8], "split.folds": 3, **options}
    recipe = Recipe().with_options(chosen)
    return read_samples(frame, recipe, Ledger(), on_stage=lambda name: None), recipe


def test_a_random_part_has_no_padding_for_rows():
    mask = np.zeros((2, 100), dtype=bool)
    mask[0, :90] = True
    mask[1, 50:] = True
    found = random_part(RowSet.of(mask), 20)
    assert found.counts == (20, 12)
    for member_idx, count in enumerate(found.counts):
        rows = found.row_idx[member_idx, :count].numpy()
        assert mask[member_idx, rows].all()
        assert len(set(rows)) == count


def test_a_random_part_does_not_follow_rows_that_recur():
    found = random_part(RowSet.of(np.ones((1, 2000), dtype=bool)), 1000)
    assert 400 < int((found.row_idx % 2).sum()) < 600


def test_labels_of_rows_without_weight_are_not_learnt():
    samples, recipe = make_samples(**{"kinds.text": "text"})
    assert samples.encoder.text
    weight = np.where(np.arange(150) % 3 == 0, 0.0, 2.5).astype(np.float32)
    flipped = np.where(weight == 0.0, 1 - samples.y, samples.y)
    weighted = replace(samples, roles=replace(samples.roles, weight=weight))
    expected = set_up(weighted, recipe, CPU).network.text.weights
    found = set_up(replace(weighted, y=flipped), recipe, CPU).network.text.weights
    assert torch.equal(found, expected)
    assert expected.any()


def test_texts_of_one_group_are_in_one_part(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "assay.training.setup.inner_parts",
        lambda *args: seen.append(inner_parts(*args)) or seen[-1],
    )
    samples, recipe = make_samples(**{"split.folds": 2})
    unit = np.arange(150) // 5
    set_up(replace(samples, split=replace(samples.split, unit=unit)), recipe, CPU)
    for part in seen[0]:
        assert len({(a, b) for a, b in zip(unit, part, strict=True) if b >= 0}) == len(
            set(unit[part >= 0])
        )


def test_few_rows_are_all_taken():
    rows = RowSet.of(np.ones((2, 10), dtype=bool))
    assert random_part(rows, 10) is rows
    empty = RowSet.of(np.zeros((2, 10), dtype=bool))
    assert random_part(empty, 10) is empty


@pytest.mark.parametrize(("n_repeats", "n_kept"), [(4, 12), (2, 6), (1, 3), (0, 3)])
def test_whole_repeats_are_left_out_and_one_stays(n_repeats, n_kept):
    samples, _ = make_samples(**{"split.repeats": 4})
    assert first_members(samples, n_repeats).tolist() == list(range(n_kept))


def test_without_folds_each_member_can_be_left_out():
    options = {"split.folds": 0, "split.members": 7, "split.validation_share": 0.2}
    samples, _ = make_samples(**options)
    assert len(first_members(samples, 4)) == 4


def test_the_first_members_are_those_of_the_whole_population():
    samples, recipe = make_samples(**{"split.repeats": 2})
    whole = set_up(samples, recipe, CPU)
    part = set_up(of_members(samples, np.arange(3)), recipe, CPU)
    for name, value in part.network.named_parameters():
        assert torch.equal(value, dict(whole.network.named_parameters())[name][:3])


def test_a_sample_holds_rows_that_have_a_weight():
    rows = RowSet.of(np.ones((2, 100), dtype=bool))
    weight = torch.zeros(100)
    weight[[3, 50]] = 0.5
    found = random_part(rows, 10, weight=weight)
    assert found.counts == (2, 2)
    assert found.row_idx.tolist() == [[3, 50], [3, 50]]
    assert random_part(rows, 1, weight=weight).counts == (1, 1)


@pytest.mark.parametrize("n_folds", [3, 5])
def test_without_diverged_members_the_others_predict_the_same(n_folds):
    samples, recipe = make_samples(**{"split.folds": n_folds, "split.repeats": 1})
    setup = set_up(samples, recipe, CPU)
    with torch.no_grad():
        for idx, parameter in enumerate(setup.network.parameters()):
            parameter.normal_(generator=torch.Generator().manual_seed(idx))
        setup.network.body.linears()[0].weight[1] = float("nan")
    before = score_members(setup.network, setup.lesson.rows, samples.y, setup.lesson.validation)
    is_sound = np.arange(n_folds) != 1
    kept = without_diverged(setup, is_sound, recipe)
    assert kept.samples.split.member_fold == tuple((0, idx) for idx in np.flatnonzero(is_sound))
    assert kept.lesson.repeat == (0,) * (n_folds - 1)
    after = score_members(kept.network, kept.lesson.rows, samples.y, kept.lesson.validation)
    np.testing.assert_allclose(after.log_loss, before.log_loss[is_sound], atol=1e-6)
    all_rows = torch.arange(len(samples.y)).expand(n_folds, -1)  # those learnt from as well
    whole = setup.lesson.rows.take(all_rows).features[torch.from_numpy(is_sound)]
    assert torch.equal(kept.lesson.rows.take(all_rows[1:]).features, whole)


def told_of_class_weights(rare_share: float, **options: object) -> list[str]:
    samples, recipe = make_samples(**{"train.class_weight": "balanced", **options})
    y = (np.arange(150) % 10 < 10 * rare_share).astype(samples.y.dtype)
    ledger = Ledger()
    tell_class_weights(set_up(replace(samples, y=y), recipe, CPU), recipe, ledger)
    return [str(entry) for entry in ledger]


@pytest.mark.parametrize("calibration", ["temperature", "none"])
def test_what_class_weights_do_to_probabilities_is_told(calibration):
    (entry,) = told_of_class_weights(0.1, **{"evaluate.calibration": calibration})
    assert entry.startswith("training: probabilities are those of equally frequent classes, ")
    assert entry.endswith('[evaluate.calibration = "vector", or train.class_weight = "none"]')


def test_where_no_row_is_left_out_no_calibration_undoes_class_weights():
    options = {"split.folds": 0, "evaluate.calibration": "vector"}
    (entry,) = told_of_class_weights(0.1, **options)
    assert entry.endswith('[train.class_weight = "none"]')


@pytest.mark.parametrize(
    ("rare_share", "options"),
    [
        (0.1, {"evaluate.calibration": "vector"}),
        (0.1, {"train.class_weight": "none"}),
        (0.5, {}),
    ],
)
def test_class_weights_that_change_no_probability_are_not_told(rare_share, options):
    assert told_of_class_weights(rare_share, **options) == []


@pytest.mark.parametrize(
    ("options", "n_plain"),
    [
        ({}, 3),  # of the second repeat
        ({"encode.bins": 16}, 0),
        ({"encode.columns.x.bins": 16}, 0),
        ({"split.repeats": 1}, 0),
        ({"model.init": "orthogonal"}, 0),
        ({"model.input_scale": False}, 0),
        ({"split.folds": 0, "split.members": 6, "split.validation_share": 0.2}, 0),
    ],
)
def test_every_second_repeat_of_few_rows_reads_numbers_without_bins(options, n_plain, monkeypatch):
    monkeypatch.setattr("assay.training.setup._SMOOTH_ROWS", range(150, 151))
    samples, recipe = make_samples(**options)
    network = set_up(samples, recipe, CPU).network
    is_plain = (network.numeric.inverse_width == 0.0).all(dim=1)
    assert is_plain.tolist() == [False] * (len(is_plain) - n_plain) + [True] * n_plain


@pytest.mark.parametrize("rows", [range(149), range(151, 200)])
def test_fewer_or_more_rows_are_read_with_bins_by_all(rows, monkeypatch):
    monkeypatch.setattr("assay.training.setup._SMOOTH_ROWS", rows)
    samples, recipe = make_samples(**{"split.repeats": 2})
    network = set_up(samples, recipe, CPU).network
    assert (network.numeric.inverse_width != 0.0).any(dim=1).all()


def test_members_without_bins_start_as_networks_that_have_none(monkeypatch):
    monkeypatch.setattr("assay.training.setup._SMOOTH_ROWS", range(150, 151))
    chosen = {"split.repeats": 2, "drop": ["text"]}
    samples, recipe = make_samples(**chosen)
    bare, bare_recipe = make_samples(**chosen, **{"encode.bins": 0})
    mixed, none = set_up(samples, recipe, CPU), set_up(bare, bare_recipe, CPU)
    rows = torch.arange(150).expand(6, -1)
    plain = mixed.lesson.rows.take(rows).features[3:]
    n_bins = len(mixed.network.numeric.bin_feature)
    assert not plain[:, :, 1 : 1 + n_bins].any()
    others = torch.cat([plain[:, :, :1], plain[:, :, 1 + n_bins :]], dim=2)
    assert others.shape == none.lesson.rows.take(rows).features[3:].shape
    assert torch.equal(others, none.lesson.rows.take(rows).features[3:])
    n_inputs = (mixed.network.n_inputs, none.network.n_inputs)
    expected = torch.full((), n_inputs[0] / n_inputs[1]).sqrt()
    torch.testing.assert_close(mixed.network.input_scale[3:].unique(), expected[None])
    assert (mixed.network.input_scale[:3] == 1.0).all()
