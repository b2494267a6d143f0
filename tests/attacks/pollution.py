"""Polluted delimited files, what must come out of them, and the judge.

The operators follow the survey of Vitagliano et al. 2023, "Pollock: A Data Loading
Benchmark", PVLDB 16(8); tables, operators, files and the measure are our own.

A file polluted in one row is read whole when every other row comes back cell for
cell and the polluted one is either there or listed by its line. A file polluted as
a whole is read whole when exactly its table comes back.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import read_table
from assay.read.source import NamedBytes
from attacks.pollution_rows import CELL_OPERATORS, HUGE_OPERATORS, LINE_ENDS, ROW_OPERATORS
from attacks.pollution_tables import CleanTable, Row, clean_tables

MAX_SECONDS = 5.0
"""A file that takes longer hangs."""


@dataclass(frozen=True)
class Case:
    """One polluted file.

    Attributes:
        name: Table, operator and place.
        operator: What was done to it.
        data: Its bytes.
        table: The table it was made from; `table.names` must come out.
        rows: Rows that must come out, in this order.
        lines: For each of them its first line, from 1; empty for file pollutions.
        polluted: Lines of the polluted row, empty for file pollutions.
        may_refuse: Whether an error that says what is wrong is as good.
        also: Other names that the text may be read to give.
        n_more: Rows that may come out beside `rows`.
    """

    name: str
    operator: str
    data: bytes = field(repr=False)
    table: CleanTable = field(repr=False)
    rows: tuple[Row, ...] = field(repr=False)
    lines: tuple[int, ...] = field(default=(), repr=False)
    polluted: range = range(0)
    may_refuse: bool = False
    n_more: int = 0
    also: Row = ()

    @property
    def names(self) -> Row:
        """Column names that must come out."""
        return self.table.names


@dataclass(frozen=True)
class Reading:
    """What a reader made of a file: a table, or an error it raised on purpose.

    Attributes:
        names: Column names.
        rows: Rows of cells.
        listed: Lines of the rows that it says it left out.
        error: Its one-line error; the others are empty then.
        crash: Another exception, as text.
        seconds: Processor time it took; others may be busy beside it.
    """

    names: Row = ()
    rows: tuple[Row, ...] = ()
    listed: frozenset[int] = frozenset()
    error: str = ""
    crash: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """How a reading compares with what was expected.

    Attributes:
        kind: "whole"; "refused" with an error; or what went wrong: "crash", "hang",
            "wrong width", "wrong names", "rows lost", "unlisted", "wrong cells".
        is_broken: Whether a promise is broken: silent damage, a crash or a hang.
        detail: For people.
    """

    kind: str
    is_broken: bool = False
    detail: str = ""


def row_cases(tables: Sequence[CleanTable] | None = None) -> Iterator[Case]:
    """Pollute every table in one row at a time, by each operator, in each cell."""
    for table in clean_tables() if tables is None else tables:
        written, n_rows = _Written(table), len(table.rows)
        for at in (0, 1, 2, n_rows // 3, n_rows // 2, n_rows - 3, n_rows - 2, n_rows - 1):
            yield from _cases_of_row(written, at)


def huge_cases(tables: Sequence[CleanTable] | None = None) -> Iterator[Case]:
    """Pollute each table by cells of 10 MB, at its start and its middle."""
    for table in clean_tables() if tables is None else tables:
        written = _Written(table)
        for at in (0, len(table.rows) // 2):
            for name, pollute in HUGE_OPERATORS.items():
                text = pollute(table, table.cells(table.rows[at]))
                if text is not None:
                    yield written.case(name, at, None, text)


def _cases_of_row(written: "_Written", at: int) -> Iterator[Case]:
    table = written.table
    row = table.rows[at]
    cells = table.cells(row)
    clean = table.record(row)
    for name, pollute_row in ROW_OPERATORS.items():
        text = pollute_row(table, cells)
        if text is not None and text != clean:
            yield written.case(name, at, None, text)
    for name, end in LINE_ENDS.items():
        if end or at + 1 < len(table.rows):
            yield written.case(name, at, None, clean, end=end)
    for name, pollute in CELL_OPERATORS.items():
        for number, raw in enumerate(row):
            text = pollute(table, cells, raw, number)
            if text is not None and text != clean:
                yield written.case(name, at, number, text)


class _Written:
    """A clean table as text, written once for all that pollutes one of its rows."""

    def __init__(self, table: CleanTable) -> None:
        self.table = table
        self.pieces = [record + "\n" for record in table.records()]
        counts = [_n_lines(piece) for piece in self.pieces]
        self.starts = [1 + sum(counts[:at]) for at in range(len(counts))]

    def case(self, operator: str, at: int, cell: int | None, text: str, end: str = "\n") -> Case:
        """Put a text in the place of row `at`."""
        n_gone = 1 if end else 2  # A row without a line end takes the next row with it.
        polluted = text + end + ("" if end else self.pieces[at + 2])
        before, after = self.pieces[: at + 1], self.pieces[at + 1 + n_gone :]
        start = self.starts[at + 1]
        n_lines = _n_lines(polluted)
        shift = start + n_lines - self.starts[-len(after)] if after else 0
        rows = self.table.rows
        place = f"row {at + 1}" if cell is None else f"row {at + 1}, cell {cell + 1}"
        lines = self.starts[1 : at + 1] + [line + shift for line in self.starts[at + 1 + n_gone :]]
        return Case(
            name=f"{self.table.name}: {operator}, {place}",
            operator=operator,
            data="".join([*before, polluted, *after]).encode("utf-8", errors="surrogateescape"),
            table=self.table,
            rows=rows[:at] + rows[at + n_gone :],
            lines=tuple(lines),
            polluted=range(start, start + max(n_lines, 1)),
        )


def _n_lines(text: str) -> int:
    return len(re.findall(r"\r\n|\r|\n", text))


def read_by_assay(case: Case, **options: object) -> Reading:
    """Read a case as a user does: nothing is told to the reader."""
    ledger = Ledger()
    started = time.process_time()
    try:
        table = read_table(
            NamedBytes(case.data, "x.csv"), ReadRecipe.model_validate(options), ledger
        )
    except UserError as error:
        return Reading(error=str(error), seconds=time.process_time() - started)
    except Exception as error:
        return Reading(crash=repr(error), seconds=time.process_time() - started)
    seconds = time.process_time() - started
    listed = [
        int(match[1])
        for entry in ledger
        if (match := re.fullmatch(r"x\.csv, line (\d+)", entry.where))
    ]
    rows = tuple(table.frame.iter_rows())
    return Reading(tuple(table.names), rows, frozenset(listed), seconds=seconds)


def judge(case: Case, reading: Reading) -> Verdict:
    """Compare what came out with what must."""
    if reading.crash:
        return Verdict("crash", True, reading.crash)
    if reading.seconds > MAX_SECONDS:
        return Verdict("hang", True, f"{reading.seconds:.1f} s")
    if reading.error:
        is_told = "\n" not in reading.error and bool(reading.error)
        return Verdict("refused", not is_told, reading.error)
    widths = {len(row) for row in reading.rows} | {len(reading.names)}
    if widths != {len(case.names)} and reading.names != case.also:
        return Verdict("wrong width", True, f"{sorted(widths)} for {len(case.names)}")
    if case.also and reading.names == case.also:
        return Verdict("whole")
    if reading.names != case.names:
        return Verdict("wrong names", True, str(reading.names))
    return _judge_row(case, reading) if case.polluted else _judge_file(case, reading)


def _judge_row(case: Case, reading: Reading) -> Verdict:
    expected, got = Counter(case.rows), Counter(reading.rows)
    lost, more = expected - got, got - expected
    unlisted = [
        line
        for row, line in zip(case.rows, case.lines, strict=True)
        if row in lost and line not in reading.listed
    ]
    n_unlisted = sum(lost.values()) - len(reading.listed.intersection(case.lines))
    if n_unlisted > 0:
        return Verdict("unlisted", True, f"gone without a word: line {unlisted[:3]}")
    if sum(more.values()) > len(case.polluted):
        return Verdict("wrong cells", True, f"rows that nobody wrote: {list(more)[:2]}")
    is_told = bool(reading.listed.intersection(case.polluted)) or bool(more)
    if not is_told:
        return Verdict("unlisted", True, f"the polluted row of line {case.polluted.start} is gone")
    if lost:
        return Verdict("rows lost", False, f"{sum(lost.values())} rows beside the polluted one")
    return Verdict("whole")


def _judge_file(case: Case, reading: Reading) -> Verdict:
    # Spaces around cells are taken off later, when kinds are known.
    expected, got = _stripped(case.rows), _stripped(reading.rows)
    if got[: len(expected)] == expected and len(got) <= len(expected) + case.n_more:
        return Verdict("whole")
    lost, more = Counter(expected) - Counter(got), Counter(got) - Counter(expected)
    if sum(lost.values()) <= len(reading.listed) and sum(more.values()) <= case.n_more:
        return Verdict("rows lost", False, f"{sum(lost.values())} rows, all listed")
    return Verdict("wrong cells", True, f"lost {list(lost)[:2]}, new {list(more)[:2]}")


def _stripped(rows: tuple[Row, ...]) -> list[Row]:
    return [tuple(cell.strip() for cell in row) for row in rows]
