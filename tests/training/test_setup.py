"""A population can be made for some of the members, and loses those that diverged."""

import numpy as np
import polars as pl
import pytest
import torch

from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.samples import Samples, read_samples
from assay.training.predictions import score_members
from assay.training.rows import RowSet
from assay.training.setup import even_sample, first_members, of_members, set_up, without_diverged

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


def test_an_even_sample_has_no_padding_for_rows():
    mask = np.zeros((2, 100), dtype=bool)
    mask[0, :90] = True
    mask[1, 50:] = True
    found = even_sample(RowSet.of(mask), 20)
    assert found.counts == (18, 10)
    for member_idx, count in enumerate(found.counts):
        rows = found.row_idx[member_idx, :count].numpy()
        assert mask[member_idx, rows].all()
        assert len(set(rows)) == count


def test_few_rows_are_all_taken():
    rows = RowSet.of(np.ones((2, 10), dtype=bool))
    assert even_sample(rows, 10) is rows
    empty = RowSet.of(np.zeros((2, 10), dtype=bool))
    assert even_sample(empty, 10) is empty


@pytest.mark.parametrize(("share", "n_kept"), [(1.0, 12), (0.5, 6), (0.3, 3), (0.01, 3)])
def test_whole_repeats_are_left_out_and_one_stays(share, n_kept):
    samples, _ = make_samples(**{"split.repeats": 4})
    assert first_members(samples, share).tolist() == list(range(n_kept))


def test_without_folds_each_member_can_be_left_out():
    options = {"split.folds": 0, "split.members": 7, "split.validation_share": 0.2}
    samples, _ = make_samples(**options)
    assert len(first_members(samples, 0.6)) == 4


def test_the_first_members_are_those_of_the_whole_population():
    samples, recipe = make_samples(**{"split.repeats": 2})
    whole = set_up(samples, recipe, CPU)
    part = set_up(of_members(samples, np.arange(3)), recipe, CPU)
    for name, value in part.network.named_parameters():
        assert torch.equal(value, dict(whole.network.named_parameters())[name][:3])


def test_without_diverged_members_the_others_predict_the_same():
    samples, recipe = make_samples()
    setup = set_up(samples, recipe, CPU)
    with torch.no_grad():
        for idx, parameter in enumerate(setup.network.parameters()):
            parameter.normal_(generator=torch.Generator().manual_seed(idx))
        setup.network.body.linears()[0].weight[1] = float("nan")
    before = score_members(setup.network, setup.lesson.rows, samples.y, setup.lesson.validation)
    kept = without_diverged(setup, np.array([True, False, True]), recipe)
    assert kept.samples.split.member_fold == ((0, 0), (0, 2))
    assert kept.lesson.repeat == (0, 0)
    after = score_members(kept.network, kept.lesson.rows, samples.y, kept.lesson.validation)
    np.testing.assert_allclose(after.log_loss, before.log_loss[[0, 2]], atol=1e-6)
