"""Reading: from files, databases and frames to a table, its kinds and its types.

`read_table` opens the source, `infer_schema` says what each column means, and
`apply_schema` turns raw cells into typed columns.
"""

from assay.read.cast import apply_schema, canonical_levels
from assay.read.kinds import infer_schema
from assay.read.source import NamedBytes, read_table

__all__ = ["NamedBytes", "apply_schema", "canonical_levels", "infer_schema", "read_table"]
