"""On a GPU a population trains and predicts as on the CPU; skipped where there is none."""

import numpy as np
import polars as pl
import pytest
import torch

import assay
from assay.ledger import Ledger
from assay.recipe import Recipe
from assay.samples import read_samples
from assay.training import loop, rows
from assay.training.history import History, Silent
from assay.training.setup import set_up
from assay.training.step import EagerStep, GraphedStep, make_step

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

OPTIONS = {"train.epochs": 8, "model.hidden": [32, 32], "evaluate.bootstrap": 100}


def make_frame(n_rows: int = 600) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    level = [f"level {idx % 12}" for idx in range(n_rows)]
    return pl.DataFrame({"x": x, "z": rng.normal(size=n_rows), "level": level}).with_columns(
        pl.Series("y", np.where(x + rng.normal(size=n_rows) / 2 > 0, "yes", "no"))
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_learns_what_the_cpu_learns(precision):
    frame = make_frame()
    scores = {}
    for device in ("cpu", "cuda"):
        options = {**OPTIONS, "train.device": device, "train.precision": precision}
        model = assay.train(frame, "y", options=options)
        scores[device] = model.evaluation["validation"]["scores"]["log_loss"]["estimate"]
    assert scores["cuda"] == pytest.approx(scores["cpu"], abs=0.05)
    assert scores["cuda"] < 0.6 * np.log(2)


@pytest.mark.parametrize(("categorical", "tolerance"), [("one_hot", 1e-6), ("auto", 0.02)])
def test_the_same_seed_repeats_a_training_on_a_gpu(categorical, tolerance):
    """But for embeddings, whose gradients are summed in any order."""
    frame = make_frame()
    options = {**OPTIONS, "train.device": "cuda", "encode.categorical": categorical}
    first, again = (assay.train(frame, "y", options=options) for _ in range(2))
    np.testing.assert_allclose(
        first.predict_proba(frame), again.predict_proba(frame), atol=tolerance
    )


def test_inputs_need_not_be_kept_encoded_on_a_gpu(monkeypatch):
    losses = []
    for n_parts in (8, 1 << 60):
        monkeypatch.setattr(rows, "_GPU_CACHE_PARTS", n_parts)
        options = {"train.epochs": 4, "train.learning_rate": 0.005, "train.precision": "float32"}
        losses.append(train(monkeypatch, make_step, cache_bytes=1, **options)[0].train_loss)
    np.testing.assert_allclose(*losses, rtol=1e-3)


class Stopping(Silent):
    """Ends a training after three epochs."""

    def on_epoch(self, epoch, n_epochs, **scores):
        if epoch == 3:
            raise KeyboardInterrupt


def test_a_gpu_training_that_was_cut_short_is_resumed(tmp_path):
    frame, kept = make_frame(), {"run": tmp_path / "run", "checkpoint_every": 1e-6}
    options = {**OPTIONS, "train.device": "cuda", "encode.categorical": "one_hot"}
    whole = assay.train(frame, "y", options=options)
    with pytest.raises(KeyboardInterrupt):
        assay.train(frame, "y", options=options, observer=Stopping(), **kept)
    resumed = assay.train(frame, "y", options=options, resume=True, **kept)
    np.testing.assert_allclose(resumed.predict_proba(frame), whole.predict_proba(frame), atol=1e-5)


def eager(network, recipe, *, device, batch_size):
    return EagerStep(network, recipe)


def train(
    monkeypatch, make, *, cache_bytes: int = rows.CACHE_BYTES, **options: object
) -> tuple[History, list[object]]:
    """Train with steps that `make` makes; returns them too."""
    made = []

    def make_and_keep(*args, **kwargs):
        made.append(make(*args, **kwargs))
        return made[-1]

    # 400 training rows: 12 full batches and a smaller one an epoch.
    chosen = {"target": "y", "split.folds": 3, "model.hidden": [32, 32], "train.batch_size": 32}
    recipe = Recipe().with_options({**chosen, "train.keep": "last", **options})
    samples = read_samples(make_frame(), recipe, Ledger(), on_stage=lambda _: None)
    setup = set_up(samples, recipe, torch.device("cuda"), cache_bytes=cache_bytes)
    with monkeypatch.context() as patched:
        patched.setattr(loop, "make_step", make_and_keep)
        history = loop.train_population(
            setup.network, setup.lesson, recipe.train, seed=0, observer=Silent()
        )
    return history, made


CASES = {
    "default": {},
    "float32": {"train.precision": "float32"},
    "adam": {"train.precision": "float32", "train.optimizer": "adam"},
    "one-hot": {"train.precision": "float32", "encode.categorical": "one_hot"},
    "closed form": {
        "train.precision": "float32",
        "model.dropout": 0.0,
        "model.activation": "tanh",
        "model.input_scale": False,
        "encode.categorical": "one_hot",
    },
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_replayed_steps_are_eager_steps(monkeypatch, caplog, options):
    # Few epochs: rounding grows with every step. Rates, decay and dropout fade from the third.
    options = {"train.epochs": 4, "train.learning_rate": 0.005, **options}
    found, (step,) = train(monkeypatch, make_step, **options)
    assert isinstance(step, GraphedStep)
    assert step.is_recorded, caplog.messages
    expected, _ = train(monkeypatch, eager, **options)
    tolerance = 1e-3 if "train.precision" in options else 2e-2
    np.testing.assert_allclose(found.train_loss, expected.train_loss, rtol=tolerance)


def test_an_optimizer_that_cannot_be_recorded_takes_eager_steps(monkeypatch):
    _, (step,) = train(monkeypatch, make_step, **{"train.optimizer": "sgd", "train.epochs": 2})
    assert isinstance(step, EagerStep)


def test_rounded_weights_are_those_of_the_step(monkeypatch):
    """Autocast would keep the weights of the first step, and training would not get on."""
    losses = {}
    for precision in ("float32", "bfloat16"):
        options = {"train.epochs": 8, "train.precision": precision}
        losses[precision] = train(monkeypatch, eager, **options)[0].train_loss[-1].mean()
    assert losses["bfloat16"] == pytest.approx(losses["float32"], abs=0.05)
