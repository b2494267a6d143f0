"""The model file: one safe file that predicts for ever."""

from assay.modelfile.golden import make_golden
from assay.modelfile.layout import ModelContents
from assay.modelfile.load import load_model, read_manifest
from assay.modelfile.save import pack, save_model

__all__ = ["ModelContents", "load_model", "make_golden", "pack", "read_manifest", "save_model"]
