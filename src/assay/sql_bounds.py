"""How much an expression can make of a cell: SQL text or its parsed tree in, bounds out.

A model file brings expressions that a stranger wrote. Their ways to take all memory or
time are bounded here, before anything is run:

- Polars writes some constructs out by repeating what they read: `SPLIT_PART` three
  times, `NULLIF` twice, `CASE x WHEN` once for each WHEN. Nested, they grow without
  bound; `expanded_size` counts the words after that, from the text alone.
- Functions that make text longer: `LPAD(name, 1000000000)`, `REPLACE` within
  `REPLACE`, a chain of columns that each double the one before. `text_growth` says how
  long their text can become, on the way to the result as well.
- Polars compares equal operands of AND and OR with each other, which takes cubic time.
  `tree_size` counts the operands of such a chain, and all nodes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assay.errors import UserError

MAX_GROWTH = 1_000
"""Longest text that an expression may make, in lengths of the cells it is made of."""

MAX_LETTERS = 1_000_000
"""What it may add to that, in letters."""

MAX_ALL_GROWTH, MAX_ALL_LETTERS = 100_000, 4_000_000
"""The same of all expressions together, in lengths of the longest cell of a row."""

MAX_NODES = 20_000
"""Nodes of all parsed expressions."""

MAX_CHAIN = 100
"""Conditions that one chain of AND or of OR may join."""

_TOKEN = re.compile(r"\w+|[(),]")
_REPEATS = 4  # most often that one of these writes out what it reads (measured, Polars 2.1)
_REPEATING = frozenset(
    {
        "array_get", "date_part", "extract", "left", "lpad", "nullif", "right", "rpad",
        "split_part",
    }
)  # fmt: skip


@dataclass
class _Group:
    """What stands between brackets, or between CASE and END."""

    repeats: int = 1
    is_case: bool = False
    n_when: int = 0
    subject: int = 0
    done: int = 0
    operand: int = 0
    is_between: bool = False

    def total(self) -> int:
        return self.repeats * (self.done + self.operand) + self.n_when * self.subject


def expanded_size(sql: str) -> int:
    """Return at most how many words an expression has once Polars has written it out.

    Args:
        sql: An expression, its quoted parts left out.

    Example:
        >>> expanded_size("a + b"), expanded_size("split_part(split_part(a, b, c), b, c)")
        (2, 61)
    """
    groups, before = [_Group()], ""
    for token in _TOKEN.findall(sql.lower()):
        group = groups[-1]
        if token == "(":
            groups.append(_Group(repeats=_REPEATS if before in _REPEATING else 1))
        elif token == "case":
            groups.append(_Group(is_case=True))
        elif token in (")", "end") and len(groups) > 1:
            groups.pop()
            groups[-1].operand += group.total()
        else:
            _count(group, token)
        before = token
    return sum(group.total() for group in groups)


def _count(group: _Group, token: str) -> None:
    """Add a word to a group; `operand` is what a BETWEEN behind it would repeat."""
    if token == "between":
        group.operand, group.is_between = 2 * group.operand + 1, True
    elif token == "and" and group.is_between:
        group.is_between = False
    elif token == "when" and group.is_case:
        if not group.n_when:  # CASE x WHEN 1 ... WHEN 2: each WHEN repeats x
            group.subject, group.done, group.operand = group.done + group.operand, 0, 0
        group.n_when += 1
        group.done, group.operand = group.done + group.operand, 0
    elif token in ("and", "or", ","):
        group.done, group.operand = group.done + group.operand, 0
    else:
        group.operand += 1


class Growth(NamedTuple):
    """A text of at most `factor` times the letters of the cells it is made of, and `letters`."""

    factor: float
    letters: float

    def __add__(self, other: object) -> "Growth":
        if not isinstance(other, Growth):
            return NotImplemented
        return Growth(self.factor + other.factor, self.letters + other.letters)

    @property
    def is_allowed(self) -> bool:
        """Whether such a text may be made."""
        return self.factor <= MAX_GROWTH and self.letters <= MAX_LETTERS

    def times(self, number: float) -> "Growth":
        """Return the bound of a text so many times as long."""
        return Growth(self.factor * number, self.letters * number)


_FEWER = "Derive fewer columns, or put them into the table"
_NOTHING, _CELL = Growth(0.0, 0.0), Growth(1.0, 0.0)
_NUMBER = Growth(0.0, 64.0)  # letters of any number, truth or date as text
_UNBOUNDED = Growth(float("inf"), float("inf"))
_CHAINED = frozenset({"And", "Or", "LogicalAnd", "LogicalOr"})
_ONE_OF = frozenset({"Coalesce", "FillNull", "MaxHorizontal", "MinHorizontal"})


def text_growth(tree: Any, columns: Mapping[str, Growth]) -> Growth:
    """Return how long the text of an expression can become.

    Args:
        tree: The expression as Polars writes it as JSON, of the nodes that `derive` allows.
        columns: Growth of columns that are derived themselves; others are cells.

    Returns:
        A bound; infinite where a length or a replacement is no constant, or where what is
        only compared is itself too long.

    Example:
        >>> pad = {"StringExpr": {"PadStart": {"fill_char": "x"}}}
        >>> ten = {"Literal": {"Dyn": {"Int": 10}}}
        >>> text_growth({"Function": {"input": [{"Column": "a"}, ten], "function": pad}}, {})
        Growth(factor=1.0, letters=40.0)
    """
    [(node, content)] = tree.items()
    if node == "Column":
        return columns.get(str(content), _CELL)
    if node == "Literal":
        text = _literal_text(tree)
        return _NUMBER if text is None else Growth(0.0, float(len(text.encode())))
    if node == "Cast":
        return text_growth(content["expr"], columns) + _NUMBER
    if node == "Ternary":
        if not text_growth(content["predicate"], columns).is_allowed:
            return _UNBOUNDED
        return _largest([text_growth(content[key], columns) for key in ("truthy", "falsy")])
    if node == "BinaryExpr":
        parts = [text_growth(content[side], columns) for side in ("left", "right")]
        if content["op"] == "Plus":
            return parts[0] + parts[1]
        return _NUMBER if all(part.is_allowed for part in parts) else _UNBOUNDED
    return _of_function(content, columns)


def _of_function(content: Any, columns: Mapping[str, Growth]) -> Growth:
    tag, inputs = content["function"], content["input"]
    parts = [text_growth(one, columns) for one in inputs]
    if not all(part.is_allowed for part in parts):
        return _UNBOUNDED
    family, member = next(iter(tag.items())) if isinstance(tag, dict) else (tag, None)
    name, options = next(iter(member.items())) if isinstance(member, dict) else (member, {})
    if family in _ONE_OF:
        return _largest(parts)
    if family == "TemporalExpr" and name == "ToString":
        return _NUMBER.times(1.0 + len(str(options)))
    if name in ("PadStart", "PadEnd"):
        width = _literal_number(inputs[1])
        return _UNBOUNDED if width is None else parts[0] + Growth(0.0, 4.0 * width)
    if name in ("Replace", "Join"):  # at most once for each letter, and before the first
        text = _literal_text(inputs[-1])
        if text is None:
            return _UNBOUNDED
        size = float(len(text.encode()))
        return parts[0].times(2.0 + size) + Growth(0.0, size)
    if name == "ConcatHorizontal":
        between = len(str(options["delimiter"]).encode()) * len(parts)
        return sum(parts, Growth(0.0, float(between)))
    return sum(parts, _NUMBER)  # no other function makes a text longer than what it reads


class TreeSize(NamedTuple):
    """Nodes of an expression, and the operands of its longest chain of AND or of OR."""

    nodes: int
    chain: int


def tree_size(tree: Any) -> TreeSize:
    """Return how large an expression is.

    Args:
        tree: As for `text_growth`.

    Example:
        >>> column = {"Column": "a"}
        >>> both = {"BinaryExpr": {"left": column, "op": "And", "right": column}}
        >>> tree_size({"BinaryExpr": {"left": both, "op": "And", "right": column}})
        TreeSize(nodes=5, chain=3)
    """
    n_nodes, chains = 0, [0]
    waiting = [(tree, "", 0)]  # a node, the operator above it, and the place of its chain
    while waiting:
        one, above, chain = waiting.pop()
        n_nodes += 1
        [(node, content)] = one.items()
        operator = content["op"] if node == "BinaryExpr" else ""
        if operator in _CHAINED:
            if operator != above:
                chain = len(chains)
                chains.append(1)
            chains[chain] += 1
        waiting.extend((child, operator, chain) for child in _children(node, content))
    return TreeSize(n_nodes, max(chains))


def _children(node: str, content: Any) -> Iterator[Any]:
    if node == "Function":
        yield from content["input"]
    elif node == "BinaryExpr":
        yield from (content["left"], content["right"])
    elif node == "Ternary":
        yield from (content["predicate"], content["truthy"], content["falsy"])
    elif node == "Cast":
        yield content["expr"]


@dataclass
class Bounds:
    """What expressions come to, one after the other.

    Attributes:
        growth: Of each, by the name of its column.
        total: Of all together.
        n_nodes: Of all together.
    """

    growth: dict[str, Growth] = field(default_factory=dict)
    total: Growth = _NOTHING
    n_nodes: int = 0

    def add(self, name: str, tree: Any) -> None:
        """Count one more expression.

        Args:
            name: Of its column.
            tree: As for `text_growth`.

        Raises:
            UserError: It is too large, or all are; no place is given.
        """
        growth, size = text_growth(tree, self.growth), tree_size(tree)
        self.growth[name] = growth
        self.total += growth
        self.n_nodes += size.nodes
        if not growth.is_allowed:
            raise UserError(
                "its text could grow without bound",
                fix=f"Keep it below {MAX_GROWTH} times its cells and {MAX_LETTERS} letters, "
                "with constant lengths and replacements",
            )
        if size.chain > MAX_CHAIN:
            raise UserError(
                f"it joins {size.chain} conditions by AND or OR, more than {MAX_CHAIN}",
                fix="Write IN (...) for many values, or split it into several derived columns",
            )
        if self.total.factor > MAX_ALL_GROWTH or self.total.letters > MAX_ALL_LETTERS:
            raise UserError("all expressions together could make too much text", fix=_FEWER)
        if self.n_nodes > MAX_NODES:
            raise UserError(
                f"all expressions together have more than {MAX_NODES} parts", fix=_FEWER
            )


def _largest(parts: list[Growth]) -> Growth:
    return Growth(
        max((part.factor for part in parts), default=0.0),
        max((part.letters for part in parts), default=0.0),
    )


def _literal_text(tree: Any) -> str | None:
    """Return the text of a constant, or None."""
    [(node, content)] = tree.items()
    scalar = content.get("Scalar") if node == "Literal" else None
    text = scalar.get("String") if isinstance(scalar, dict) else None
    return text if isinstance(text, str) else None


def _literal_number(tree: Any) -> float | None:
    """Return the whole number of a constant, or None."""
    [(node, content)] = tree.items()
    if node == "Cast":
        return _literal_number(content["expr"])
    number = content.get("Dyn", {}).get("Int") if node == "Literal" else None
    return float(number) if isinstance(number, int) else None
