"""What an encoded table is: three plain arrays, with nothing fitted in them.

`table_encoder` makes them, the input layers of `nn` and the core graph read them.
"""

from dataclasses import dataclass

import numpy as np

MISSING_CODE = 0  # the cell was empty
UNSEEN_CODE = 1  # the cell holds a level that the encoder does not list
FIRST_LEVEL_CODE = 2


@dataclass(frozen=True)
class Arrays:
    """Encoded rows.

    Attributes:
        numeric: Shape (N, F_numeric), float32, NaN where missing.
        codes: Shape (N, F_categorical), int32: `MISSING_CODE`, `UNSEEN_CODE`, or
            `FIRST_LEVEL_CODE` plus the index of the level.
        text: Shape (N, F_text), float32, finite.
    """

    numeric: np.ndarray
    codes: np.ndarray
    text: np.ndarray

    @property
    def n_rows(self) -> int:
        """Number of rows N."""
        return int(self.numeric.shape[0])

    def take(self, row_idx: np.ndarray | slice) -> "Arrays":
        """Return the rows at `row_idx`."""
        return Arrays(self.numeric[row_idx], self.codes[row_idx], self.text[row_idx])

    def named(self) -> dict[str, np.ndarray]:
        """Return the arrays that have columns, under the core graph's input names."""
        arrays = {"numeric": self.numeric, "codes": self.codes, "text": self.text}
        return {name: array for name, array in arrays.items() if array.shape[1]}
