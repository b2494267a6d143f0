"""The door: from anything that holds a table to a `Table`.

What a file is, its first bytes say; its extension is asked only where they
are silent. This file chooses the reader and reads nothing itself.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.caps import Caps, caps_of
from assay.read.columnar import read_arrow, read_parquet
from assay.read.compressed import compression_of, decompress
from assay.read.content import Content, Pipe, from_bytes, on_disk, open_path
from assay.read.database import is_url, read_url
from assay.read.database_files import read_duckdb, read_sqlite
from assay.read.delimited import read_delimited
from assay.read.frames import read_frame, without_patterns
from assay.read.json_text import is_json_lines, read_json, read_json_lines
from assay.read.workbook import check_workbook, read_excel
from assay.table import Table

_HEAD_BYTES = 4096

# First bytes of files that are no tables, or none that can be read safely.
_FOREIGN = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"FEA1", "a Feather 1 file"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"$FL2", "an SPSS file"),
    (b"\x80\x02", "a pickle, which could run code when opened"),
    (b"\x80\x03", "a pickle, which could run code when opened"),
    (b"\x80\x04", "a pickle, which could run code when opened"),
    (b"\x80\x05", "a pickle, which could run code when opened"),
)
_TEXT_EXTENSIONS = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".psv")
_BINARY_EXTENSIONS = {
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".feather": "Arrow",
    ".arrow": "Arrow",
    ".ipc": "Arrow",
    ".xlsx": "Excel",
    ".xls": "Excel",
    ".duckdb": "DuckDB",
    ".sqlite": "SQLite",
    ".sqlite3": "SQLite",
}


@dataclass(frozen=True)
class NamedBytes:
    r"""The bytes of a file, and what messages call it.

    Attributes:
        data: All of its bytes.
        name: "standard input", or a file name, whose extension then counts.

    Example:
        >>> read_table(NamedBytes(b"a\n1\n", "upload.csv"), ReadRecipe(), Ledger()).source
        'upload.csv'
    """

    data: bytes
    name: str


class StandardInput(NamedBytes):
    """Standard input, which flows once: read when it is known how much of it is allowed.

    Raises:
        UserError: It is closed.
    """

    name = "standard input"

    def __init__(self) -> None:
        if sys.stdin is None:
            raise UserError("it is closed", where=self.name, fix="Give a file")
        self._pipe, self._caps = Pipe(sys.stdin.buffer, self.name), caps_of(ReadRecipe())

    @property
    def data(self) -> bytes:
        """All of its bytes."""
        with _reading(self.name):
            return self._pipe.read(self._caps)

    def within(self, caps: Caps) -> bytes:
        """Return all of its bytes; these are the caps of `data` from now on.

        Raises:
            UserError: They are more than the caps allow, or cannot be read.
        """
        self._caps = caps
        return self.data


def read_table(
    source: object, recipe: ReadRecipe, ledger: Ledger, *, allow_empty: bool = False
) -> Table:
    r"""Read a table from wherever it is.

    Args:
        source: A path (str or Path), "-" for standard input, a database URL
            ("sqlite:///x.db", "duckdb:///x.duckdb", "postgresql://..."), the
            bytes of a file (`NamedBytes` if messages shall name it), a data
            frame or another object in memory (see `read_frame`), or a `Table`,
            which is returned as it is.
        recipe: How to read text files, and which query or sheet.
        ledger: Told of everything skipped, dropped or converted.
        allow_empty: Whether delimited text may end after its header; it is an
            error otherwise.

    Returns:
        The table. Delimited text gives text columns only, cells as they stand;
        all else keeps its types.

    Raises:
        UserError: There is nothing there, it is not a table, or it is damaged.

    Example:
        >>> read_table(b"age,sex\n31,f\n40,m\n", ReadRecipe(), Ledger()).frame.rows()
        [('31', 'f'), ('40', 'm')]
    """
    if isinstance(source, Table):
        return source
    return without_patterns(_read(source, recipe, ledger, allow_empty=allow_empty), ledger)


def _read(source: object, recipe: ReadRecipe, ledger: Ledger, *, allow_empty: bool) -> Table:
    if isinstance(source, str) and is_url(source):
        return read_url(source, recipe, ledger)
    content = _content_of(source, caps_of(recipe))
    if content is None:
        table = read_frame(source, ledger)
        caps_of(recipe).check_columns(table.frame.width, table.source)
        return table
    with _reading(content.name):
        return _read_content(content, recipe, ledger, allow_empty=allow_empty)


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    """Tell of a disk that does not give the bytes, and of memory that does not hold them."""
    try:
        yield
    except OSError as error:
        fix = "Copy the file to another disk, and see whether it is whole"
        raise UserError(f"cannot read: {error.strerror or error}", where=name, fix=fix) from None
    except MemoryError:
        fix = "Free some, or give fewer rows or columns"
        raise UserError("memory ran out while reading", where=name, fix=fix) from None


def _content_of(source: object, caps: Caps) -> Content | None:
    """Return the bytes of a source that has some, or None."""
    if isinstance(source, str) and source == "-":
        source = StandardInput()
    if isinstance(source, StandardInput):
        return from_bytes(source.within(caps), source.name)
    if isinstance(source, bytes | bytearray | memoryview):
        source = NamedBytes(bytes(source), "bytes")
    if isinstance(source, NamedBytes):
        return from_bytes(source.data, source.name)
    if isinstance(source, str) and not source:
        raise UserError("the path is empty", fix="Give the path of a table")
    return open_path(Path(source), caps) if isinstance(source, str | Path) else None


def _read_content(
    content: Content, recipe: ReadRecipe, ledger: Ledger, *, allow_empty: bool
) -> Table:
    caps = caps_of(recipe)
    compression = compression_of(content.head(_HEAD_BYTES))
    if compression:
        content = decompress(content, compression, caps, ledger)
        inner = compression_of(content.head(_HEAD_BYTES))
        if inner:
            raise UserError(
                f"inside the {compression} file is a {inner} file again",
                where=content.name,
                fix="Decompress it once",
            )
    head = content.head(_HEAD_BYTES)
    table = _read_by_magic(content, head, recipe, ledger)
    if table is not None:
        return table
    _check_not_foreign(content, head)
    caps.check_bytes(content.size_bytes, content.name, what="the file has")
    if _is_json(content, head):
        reader = read_json_lines if is_json_lines(content) else read_json
        return reader(content, caps, ledger)
    return read_delimited(content, recipe, ledger, allow_empty=allow_empty)


def _read_by_magic(
    content: Content, head: bytes, recipe: ReadRecipe, ledger: Ledger
) -> Table | None:
    caps = caps_of(recipe)
    if head.startswith(b"PAR1"):
        return read_parquet(content, caps, ledger)
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return read_arrow(content, caps, ledger)
    if head.startswith(b"SQLite format 3\0"):
        return read_sqlite(on_disk(content, "SQLite"), recipe, ledger)
    if head[8:12] == b"DUCK":
        return read_duckdb(on_disk(content, "DuckDB"), recipe, ledger)
    if head.startswith(b"PK\x03\x04"):
        check_workbook(content, caps)
        return read_excel(content, recipe, ledger)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        # Two cells of such a file can reach over 16,000,000 in each of its sheets, and the
        # library unpacks all sheets before it tells of one.
        raise UserError(
            "workbooks of the old form (.xls), or with a password, are not read",
            where=content.name,
            fix="Save it as .xlsx without a password, or as CSV",
        )
    return None


def _is_json(content: Content, head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    begins_so = start[:1] in (b"[", b"{") and content.extension not in _TEXT_EXTENSIONS
    return begins_so or content.extension in (".json", ".jsonl", ".ndjson")


def _check_not_foreign(content: Content, head: bytes) -> None:
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise UserError(
                f"this is {what}, not a table",
                where=content.name,
                fix="Give CSV, Parquet, Arrow, JSON, Excel, SQLite or DuckDB",
            )
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise UserError(
            "this is a web page, not a table",
            where=content.name,
            fix="The download may have failed; look at it in a browser",
        )
    expected = _BINARY_EXTENSIONS.get(content.extension)
    if expected:
        raise UserError(
            f"the name says {expected}, but the file starts with {head[:12]!r}",
            where=content.name,
            fix="Give it the extension of what it is, or write it again",
        )
