"""Standard output for data, standard error for talk, and files written whole."""

import contextlib
import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from assay.errors import UserError
from assay.report.wording import one_line as one_line  # every verb writes by it

if TYPE_CHECKING:
    import polars as pl

Format = Literal["csv", "parquet", "jsonl"]

_EXTENSIONS: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_SLICE_ROWS = 50_000


def say(text: str = "", *, is_aside: bool = False) -> None:
    """Write a line of the result on standard output.

    Args:
        text: The line.
        is_aside: Whether standard output holds something else, such as a model:
            the line then goes to standard error.
    """
    try:
        typer.echo(text, err=is_aside)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _cannot_write(error) from None


def tell(text: str) -> None:
    """Write a line of talk on standard error."""
    murmur(f"assay: {one_line(text)}")


def murmur(text: str) -> None:
    """Write a line on standard error; where that is full or gone, the work goes on."""
    with contextlib.suppress(OSError):
        typer.echo(text, err=True)


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def say_json(data: Any, *, is_aside: bool = False) -> None:
    """Write one JSON document as `say` does: laid out for a person, else on one line."""
    indent = 2 if is_terminal() else None
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    say(text, is_aside=is_aside)


def choose_format(out: str | None, asked: str | None, *, is_json: bool) -> Format:
    """Return the format of a table to write.

    Args:
        out: The file, or None for standard output.
        asked: Value of `--format`.
        is_json: Whether `--json` was given.

    Raises:
        UserError: An unknown name or extension, or two wishes that differ.
    """
    if is_json:
        if asked not in (None, "jsonl"):
            raise UserError(f"--json and --format {asked} contradict each other", fix="Choose one")
        asked = "jsonl"
    if asked is not None:
        for known in _EXTENSIONS.values():
            if asked == known:
                return known
        raise UserError(f"unknown format {asked!r}", where="--format", fix="csv, parquet or jsonl")
    if out is None:
        return "csv"
    extension = Path(out).suffix.lower()
    if extension not in _EXTENSIONS:
        raise UserError(
            f"{extension!r} tells no format" if extension else "the name tells no format",
            where=out,
            fix=f"End it in {', '.join(_EXTENSIONS)}, or give --format",
        )
    return _EXTENSIONS[extension]


def check_destination(out: str | Path, *, inputs: tuple[object, ...]) -> None:
    """Refuse a file that cannot be written, before the work is done.

    Args:
        out: The file to write.
        inputs: What is read; the file may be none of these.

    Raises:
        UserError: The file is one of the inputs, or `files.check_writable` refuses it.
    """
    from assay.files import check_writable

    target = check_writable(out)
    for source in inputs:
        if isinstance(source, str | Path) and _is_same(target, _file_of(source)):
            raise UserError(
                "would overwrite what is read", where=str(out), fix="Choose another name with -o"
            )


def write_frame(frame: "pl.DataFrame", out: str | None, kind: Format) -> None:
    """Write a table to a file, whole or not at all, or to standard output.

    Args:
        frame: N rows, kept in order.
        out: The file, or None for standard output.
        kind: The format.

    Raises:
        UserError: The place is not writable, or Parquet would go to a terminal.
    """
    if out is not None:
        from assay.files import atomic_write

        with atomic_write(out) as file:
            for part in _parts(frame, kind):
                file.write(part)
        return
    if kind == "parquet":
        check_no_terminal("Parquet")
    write_bytes(_parts(frame, kind))


def check_no_terminal(what: str) -> None:
    """Refuse to show a person what is no text.

    Args:
        what: Its name, such as "Parquet".

    Raises:
        UserError: Standard output is a terminal.
    """
    if is_terminal():
        raise UserError(f"{what} is no text for a terminal", fix="Give a file with -o")


def write_bytes(parts: Iterable[bytes]) -> None:
    """Write to standard output as it is.

    Raises:
        UserError: The disk behind it is full.
    """
    if sys.stdout is None:  # closed by whoever started us: nobody wants the bytes
        return
    try:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _cannot_write(error) from None


def _parts(frame: "pl.DataFrame", kind: Format) -> Iterator[bytes]:
    """Yield the bytes of a table, text some rows at a time."""
    if kind == "parquet":
        yield _encoded(frame, kind, is_first=True)
        return
    for start in range(0, max(frame.height, 1), _SLICE_ROWS):
        yield _encoded(frame.slice(start, _SLICE_ROWS), kind, is_first=start == 0)


def _encoded(frame: "pl.DataFrame", kind: Format, *, is_first: bool) -> bytes:
    buffer = io.BytesIO()
    if kind == "parquet":
        frame.write_parquet(buffer)
    elif kind == "jsonl":
        frame.write_ndjson(buffer)
    else:
        frame.write_csv(buffer, include_header=is_first)
    return buffer.getvalue()


def _file_of(source: str | Path) -> Path:
    """Return the file that is read, which a database URL may name."""
    from assay.read.database import file_of_url

    return (file_of_url(source) if isinstance(source, str) else None) or Path(source)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def _cannot_write(error: OSError) -> UserError:
    return UserError(
        f"cannot write: {error.strerror or error}", where="standard output", fix="Make room"
    )
