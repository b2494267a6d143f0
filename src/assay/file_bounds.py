"""How much a model file may hold: what opening one checks, and what training keeps to.

A file is checked before anything in it is computed with (`modelfile`), so that a few bytes
cannot ask for hours. A training asks before it begins whether its model will pass
(`candidates.file_room`).
"""

MAX_NODES = 20_000
"""Operations of the core graph."""

ROW_NUMBERS = 1 << 21
"""Numbers that all operations together may hold of a row, whatever the size of the file."""

NUMBERS_PER_CONSTANT = 4
"""The same of a larger core graph, for each number that it stores."""

MAX_VALUES = 1 << 23
"""Values of a part that is JSON: commas and opening brackets."""

MAX_CORE_BYTES = 2**31 - 1
"""Bytes of the core graph: more are no protocol buffer."""


def count_values(data: object) -> int:
    """Return how many values plain data has as JSON, as `MAX_VALUES` counts them.

    Example:
        >>> count_values({"a": [1, 2.5, None], "b": {}})
        6
    """
    if isinstance(data, dict):
        return max(len(data), 1) + sum(map(count_values, data.values()))
    if isinstance(data, list | tuple):
        return max(len(data), 1) + sum(map(count_values, data))
    return 0
