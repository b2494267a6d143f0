"""Tables to arrays: everything that needs no fitting to rows."""

from assay.encode.arrays import Arrays
from assay.encode.table_encoder import TableEncoder
from assay.encode.target import TargetEncoder, take_labelled

__all__ = ["Arrays", "TableEncoder", "TargetEncoder", "take_labelled"]
