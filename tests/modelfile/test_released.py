"""Every release's model files open for ever, and predict what they predicted then."""

import json
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.modelfile import open_model
from assay.version import __version__

RELEASED = Path(__file__).parent / "released"
MODELS = sorted(RELEASED.glob("*.assay"))
MOST_BYTES = 200_000


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_released_model_predicts_what_it_did(path):
    stored = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    opened = open_model(path)
    assert opened.manifest["assay_version"] == path.stem
    found = assay.load(path).predict_proba(stored["rows"])
    np.testing.assert_allclose(found, stored["probabilities"], atol=1e-5)


def test_there_is_one_of_this_release_and_all_are_small():
    assert __version__ in [path.stem for path in MODELS]
    assert all(path.stat().st_size < MOST_BYTES for path in MODELS)


def test_an_old_model_is_saved_again_with_the_same_predictions(tmp_path):
    path = MODELS[0]
    stored = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assay.load(path).save(tmp_path / "again.assay")
    again = assay.load(tmp_path / "again.assay").predict_proba(stored["rows"])
    np.testing.assert_allclose(again, stored["probabilities"], atol=1e-5)
