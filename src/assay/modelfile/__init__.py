"""The model file: one safe file that predicts for ever."""

from assay.modelfile.golden import GOLDEN_TOLERANCE, make_golden
from assay.modelfile.layout import ModelContents
from assay.modelfile.load import OpenedModel, load_model, open_model, read_manifest, telling_of
from assay.modelfile.save import pack, save_model

__all__ = [
    "GOLDEN_TOLERANCE",
    "ModelContents",
    "OpenedModel",
    "load_model",
    "make_golden",
    "open_model",
    "pack",
    "read_manifest",
    "save_model",
    "telling_of",
]
