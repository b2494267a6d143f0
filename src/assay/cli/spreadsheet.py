"""Tables for a spreadsheet: no text is taken for a formula when the CSV is opened.

A text that begins with = + - @, a tab, a carriage return or NUL can run there and send
what stands beside it away. An apostrophe before it makes it a text again; see OWASP,
https://owasp.org/www-community/attacks/CSV_Injection, and ASVS 1.2.10.
"""

from typing import TYPE_CHECKING

from assay.errors import UserError

if TYPE_CHECKING:
    import polars as pl

# The wide forms are what some keyboards write for the same signs, and a program may read so.
_BITES = r"^[=+\-@\t\r\n\x00＝＋－＠]"
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"


def spreadsheet_safe(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Return a table whose texts and names a spreadsheet shows and does not run.

    Args:
        frame: N rows. Columns of numbers, and texts that are numbers, stay as they are.

    Raises:
        UserError: Two columns would get one name.

    Example:
        >>> import polars as pl
        >>> spreadsheet_safe(pl.DataFrame({"=a": ["=1+1", "-5", "b"]})).rows(named=True)
        [{"'=a": "'=1+1"}, {"'=a": '-5'}, {"'=a": 'b'}]
    """
    import polars as pl

    text = pl.col(pl.String)
    is_formula = text.str.contains(_BITES) & ~text.str.contains(_NUMBER)
    safe = frame.with_columns(pl.when(is_formula).then("'" + text).otherwise(text).name.keep())
    names = pl.Series(frame.columns, dtype=pl.String)
    bites = names.str.contains(_BITES).to_list()
    renamed = [f"'{name}" if bites[at] else name for at, name in enumerate(names)]
    known = set(frame.columns)
    for at, name in enumerate(renamed):
        if bites[at] and name in known:
            raise UserError(
                f"two columns would be called {name!r}",
                where="--excel-safe",
                fix="Leave one out with --columns",
            )
    safe.columns = renamed
    return safe


def check_is_csv(kind: str) -> None:
    """Refuse the option where no CSV is written.

    Args:
        kind: The format.

    Raises:
        UserError: It is not "csv".
    """
    if kind != "csv":
        raise UserError(
            f"{kind} holds no formulas, so there is nothing to make safe",
            where="--excel-safe",
            fix="Leave it out, or write CSV",
        )
