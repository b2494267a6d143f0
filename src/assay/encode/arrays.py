"""What an encoded table is: three plain arrays, with nothing fitted in them.

`table_encoder` makes them, the input layers of `nn` and the core graph read them.
"""

from dataclasses import dataclass

import numpy as np

MISSING_CODE = 0  # the cell was empty
UNSEEN_CODE = 1  # the cell holds a level that the encoder does not list
FIRST_LEVEL_CODE = 2


def code_type(n_levels: int) -> type[np.unsignedinteger] | type[np.signedinteger]:
    """Return the smallest type that holds the codes of columns of up to `n_levels` levels.

    Example:
        >>> [code_type(n_levels).__name__ for n_levels in (254, 255, 65_534, 65_535)]
        ['uint8', 'uint16', 'uint16', 'int32']
    """
    largest = FIRST_LEVEL_CODE + n_levels - 1
    if largest <= np.iinfo(np.uint8).max:
        return np.uint8
    return np.uint16 if largest <= np.iinfo(np.uint16).max else np.int32


@dataclass(frozen=True)
class Arrays:
    """Encoded rows.

    Attributes:
        numeric: Shape (N, F_numeric), float32, NaN where missing.
        codes: Shape (N, F_categorical), of `code_type`: `MISSING_CODE`, `UNSEEN_CODE`,
            or `FIRST_LEVEL_CODE` plus the index of the level.
        text: Shape (N, L), uint16: the hashed n-grams of each text column in turn,
            numbered from 1 and padded with 0; see `encode.text`.
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
        """Return the arrays that have columns, under the core graph's input names.

        Codes and n-grams are widened to int32, the graph's type.
        """
        codes, text = (part.astype(np.int32, copy=False) for part in (self.codes, self.text))
        arrays = {"numeric": self.numeric, "codes": codes, "text": text}
        return {name: array for name, array in arrays.items() if array.shape[1]}
