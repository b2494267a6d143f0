"""Parquet, Arrow, JSON and Excel keep their types; damage is one line."""

import datetime as dt
import io
import json
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read.content import from_bytes
from assay.read.source import read_table
from assay.read.workbook import read_excel

FRAME = pl.DataFrame(
    {
        "n": [1, None, 3],
        "x": [1.5, 2.5, None],
        "s": ["a", None, "c"],
        "b": [True, False, None],
        "d": [dt.date(2020, 1, 1), None, dt.date(2020, 1, 3)],
    }
)


def packed(frame: pl.DataFrame, how: str) -> bytes:
    buffer = io.BytesIO()
    getattr(frame, f"write_{how}")(buffer)
    return buffer.getvalue()


def read(data: bytes, ledger: Ledger | None = None) -> pl.DataFrame:
    return read_table(data, ReadRecipe(), Ledger() if ledger is None else ledger).frame


@pytest.mark.parametrize("how", ["parquet", "ipc", "ipc_stream"])
def test_a_written_frame_comes_back(how):
    assert read(packed(FRAME, how)).equals(FRAME)


@pytest.mark.parametrize("how", ["parquet", "ipc"])
def test_every_truncation_is_one_line(how):
    data = packed(FRAME, how)
    for n_bytes in range(16, len(data) - 20, max(len(data) // 40, 1)):
        with pytest.raises(UserError, match="truncated or damaged"):
            read(data[:n_bytes])


def test_a_cut_arrow_stream_is_an_error_or_told():
    data = packed(FRAME, "ipc_stream")
    for n_bytes in range(16, len(data), 8):
        ledger = Ledger()
        try:
            read(data[:n_bytes], ledger)
        except UserError:
            continue
        assert [entry.what for entry in ledger] == ["Arrow stream read as it is"]


def test_nested_columns_become_json_text_and_are_told():
    ledger = Ledger()
    frame = pl.DataFrame({"l": [[1, 2], None], "s": [{"k": 1}, None]})
    assert read(packed(frame, "parquet"), ledger).rows() == [("[1,2]", '{"k":1}'), (None, None)]
    assert [entry.where for entry in ledger] == ["l", "s"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pa.array([Decimal("1.5")], pa.decimal256(50, 3)), "decimal256"),
        (pa.array([[1]], pa.list_view(pa.int64())), "list_view"),
        (pa.array([{"k": [1]}], pa.struct({"k": pa.list_view(pa.int64())})), "list_view"),
        (pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), ["a"]), "run_end_encoded"),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "month_day_nano_interval"),
    ],
)
def test_a_type_that_is_not_read_is_named_before_anything_panics(values, told, capfd):
    buffer = io.BytesIO()
    table = pa.table({"n": [1], "x": values})
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match=rf"column 'x' is of type {told}.*, which is not read"):
        read(buffer.getvalue())
    assert capfd.readouterr().err == ""


def test_an_interval_of_parquet_is_named(tmp_path, capfd):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "i.parquet"
    duckdb.sql(f"copy (select 1 as n, interval 1 day as i) to '{path}'")
    with pytest.raises(UserError, match="column 'i' is of type interval, which is not read"):
        read(path.read_bytes())
    assert capfd.readouterr().err == ""


def test_a_stored_pandas_index_is_left_out_and_told(tmp_path):
    pd = pytest.importorskip("pandas")
    ledger = Ledger()
    path = tmp_path / "p.parquet"
    pd.DataFrame({"a": [1, 2]}, index=["x", "y"]).to_parquet(path)
    assert read_table(path, ReadRecipe(), ledger).names == ["a"]
    assert [entry.what for entry in ledger] == ["column dropped"]


def test_json_records_and_columns_agree():
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    columns = {"a": [1, 2], "b": ["x", None]}
    assert read(json.dumps(rows).encode()).equals(read(json.dumps(columns).encode()))


def test_json_lines_fill_absent_keys():
    assert read(b'{"a":1}\n\n{"a":2,"b":"x"}\n').rows() == [(1, None), (2, "x")]


def test_a_bad_json_line_is_named():
    with pytest.raises(UserError, match="line 3"):
        read(b'{"a":1}\n{"a":2}\n{"a":\n')


def test_bad_json_is_named_by_line_and_column():
    with pytest.raises(UserError, match=r"line 2: this is not valid JSON: .* at column 1"):
        read(b'[{"a":1},\n')


def test_json_nested_without_end_is_refused():
    with pytest.raises(UserError, match="more than 64 deep"):
        read(b"[" * 100_000)


def test_json_that_is_no_table_shows_the_shape_wanted():
    with pytest.raises(UserError, match="list of objects"):
        read(b'{"a": 1, "b": 2}')


def test_json_whose_names_stand_apart_is_refused_and_not_misread():
    data = json.dumps({"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}).encode()
    with pytest.raises(UserError, match=r"'columns' and the rows in 'data'.*orient='records'"):
        read(data)
    with pytest.raises(UserError, match="orient='records'"):
        read(b'{"columns":["a"],"index":[0],"data":[[1]]}')
    assert read(b'{"columns":["a"],"data":["x"]}').rows() == [("a", "x")]


def workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer)
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for at, row in enumerate(rows):
            sheet.write_row(at, 0, row)
    book.close()
    return buffer.getvalue()


def test_a_sheet_is_chosen_by_name_and_the_first_by_default():
    pytest.importorskip("fastexcel")
    data = workbook({"one": [["a"], [1]], "two": [["b"], [2.5]]})
    ledger = Ledger()
    assert read(data, ledger).rows() == [(1,)]
    assert [entry.undo for entry in ledger] == ["read.sheet"]
    assert read_table(data, ReadRecipe(sheet="two"), Ledger()).frame.rows() == [(2.5,)]
    with pytest.raises(UserError, match="Did you mean 'two'"):
        read_table(data, ReadRecipe(sheet="tow"), Ledger())


def test_double_names_in_excel_are_an_error():
    pytest.importorskip("fastexcel")
    with pytest.raises(UserError, match="more than one column is named 'a'"):
        read(workbook({"one": [["a", "a"], [1, 2]]}))


def test_a_missing_excel_package_says_how_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fastexcel", None)
    with pytest.raises(UserError, match=r"pip install 'assay\[excel\]'"):
        read_excel(from_bytes(b"PK", "x.xlsx"), ReadRecipe(), Ledger())
