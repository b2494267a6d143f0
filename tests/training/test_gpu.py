"""On a GPU a population trains and predicts as on the CPU; skipped where there is none."""

import numpy as np
import polars as pl
import pytest
import torch

import assay

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


def test_the_same_seed_repeats_a_training_on_a_gpu():
    frame = make_frame()
    options = {**OPTIONS, "train.device": "cuda"}
    first, again = (assay.train(frame, "y", options=options) for _ in range(2))
    np.testing.assert_allclose(first.predict_proba(frame), again.predict_proba(frame), atol=1e-4)
