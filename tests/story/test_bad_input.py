"""What bad input gets: one line that says what, where and what to do, and no file."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

from assay.cli import main

ROWS = [
    {"age": 20 + idx % 40, "town": "abc"[idx % 3], "y": ("no", "yes")[idx % 40 > 18]}
    for idx in range(80)
]
FAST = ["--set", "train.epochs=2", "--set", "model.hidden=[4]"]


def as_csv(rows: list[dict]) -> str:
    names = list(rows[0])
    lines = [",".join(names)]
    lines += [
        ",".join("" if row[name] is None else str(row[name]) for name in names) for row in rows
    ]
    return "\n".join(lines) + "\n"


def changed(**columns) -> list[dict]:
    """Return the rows with columns changed; each is a function of the row's number."""
    return [
        {**row, **{name: cell(idx) for name, cell in columns.items()}}
        for idx, row in enumerate(ROWS)
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, *arguments: str) -> str:
    """Run assay, expect one line on stderr and status 2; return the line."""
    before = sorted(os.listdir())
    status = main(list(arguments))
    streams = capsys.readouterr()
    assert status == 2, streams.err
    assert streams.out == ""
    lines = streams.err.splitlines()
    assert len(lines) == 1, streams.err
    assert lines[0].startswith("assay: ")
    assert sorted(os.listdir()) == before, "a file was left behind"
    return lines[0]


def train_refused(capsys, folder: Path, content: str | bytes, *options: str) -> str:
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return refused(capsys, "train", "t.csv", "--target", "y", *FAST, *options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (os.urandom(16).hex().encode() + b"\x00\x01\x02\x00" * 50, "t.csv"),
        ("age,town,y\n", "row"),
        (as_csv(ROWS).replace("age,town,y", "age,age,y"), "age"),
        (as_csv(changed(y=lambda idx: "yes")), "one class only, 'yes'"),
        (as_csv(changed(y=lambda idx: None)), "target"),
        (as_csv(changed(y=lambda idx: f"class {idx}")), "too few rows of each"),
        (as_csv(changed(y=lambda idx: idx * 1.37)), "looks like a regression"),
        (as_csv(changed(age=lambda idx: "inf" if idx == 6 else idx)), "age"),
        (as_csv([{"age": "", "town": "a", "y": row["y"]} for row in ROWS]), "no usable column"),
        (as_csv([{"nothing": None, "y": row["y"]} for row in ROWS]), "no usable column"),
    ],
    ids=["empty", "binary", "header", "duplicate", "one-class", "no-target", "many-classes",
         "regression", "infinite", "constant-and-null", "all-null"],
)  # fmt: skip
def test_tables_that_cannot_be_learnt_from(capsys, folder, content, message):
    assert message in train_refused(capsys, folder, content)


def test_an_infinite_number_is_named_with_its_row_and_the_option(capsys, folder):
    line = train_refused(
        capsys, folder, as_csv(changed(age=lambda idx: "-inf" if idx == 6 else idx))
    )
    assert "row 7" in line
    assert "read.infinite" in line
    status = main(["train", "t.csv", "--target", "y", *FAST, "--set", "read.infinite=missing"])
    assert status == 0


def test_a_missing_file_and_a_folder(capsys, folder):
    assert "absent.csv" in refused(capsys, "train", "absent.csv", "--target", "y")
    (folder / "sub").mkdir()
    assert "folder" in refused(capsys, "train", "sub", "--target", "y")


def test_a_misspelt_target_gets_the_nearest_name(capsys, folder):
    (folder / "t.csv").write_text(as_csv(ROWS))
    line = refused(capsys, "train", "t.csv", "--target", "twon", *FAST)
    assert "Did you mean 'town'?" in line


def test_rows_without_a_target_are_left_out_and_told(capsys, folder):
    (folder / "t.csv").write_text(
        as_csv(changed(y=lambda idx: None if idx < 5 else ROWS[idx]["y"]))
    )
    assert main(["train", "t.csv", "--target", "y", *FAST, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert any("missing in 5 of 80 rows" in entry["why"] for entry in result["ledger"])


def test_an_all_null_column_is_set_aside_and_told(capsys, folder):
    (folder / "t.csv").write_text(as_csv(changed(blank=lambda idx: None)))
    assert main(["train", "t.csv", "--target", "y", *FAST, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert any(entry["where"] == "blank" for entry in result["ledger"])


def test_nan_is_a_missing_value(capsys, folder):
    (folder / "t.csv").write_text(as_csv(changed(age=lambda idx: "NaN" if idx % 9 == 0 else idx)))
    assert main(["train", "t.csv", "--target", "y", *FAST]) == 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("train.epoch=3", "Did you mean 'epochs'?"),
        ("train.epochs=0", "train.epochs = 0"),
        ("train.epochs=many", "train.epochs = 'many'"),
        ("model.activation=reluu", "model.activation"),
        ("split.folds=1", "folds must be 0 or at least 2"),
        ("model.output=softmaxx", "model.output"),
        ("train.device=cuda:9", "there is no device 'cuda:9'"),
        ("kinds.agee=numeric", "Did you mean 'age'?"),
        ("derive.old=agee > 30", "agee"),
        ("split.group=towns", "Did you mean 'town'?"),
    ],
)
def test_recipes_that_make_no_sense(capsys, folder, option, message):
    assert message in train_refused(capsys, folder, as_csv(ROWS), "--set", option)


def test_recipe_files_that_make_no_sense(capsys, folder):
    (folder / "t.csv").write_text(as_csv(ROWS))
    for text, message in (("[train\n", "not valid TOML"), ("[trian]\n", "Did you mean 'train'?")):
        (folder / "r.toml").write_text(text)
        assert message in refused(
            capsys, "train", "t.csv", "--target", "y", "--recipe", "r.toml", *FAST
        )
    assert "Did you mean 'titanic'?" in refused(
        capsys, "train", "t.csv", "--target", "y", "--recipe", "titanc", *FAST
    )


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("model")
    (folder / "t.csv").write_text(as_csv(ROWS))
    status = main(
        ["train", str(folder / "t.csv"), "--target", "y", "-o", str(folder / "m.assay"), *FAST]
    )
    assert status == 0
    return (folder / "m.assay").read_bytes()


def test_model_files_that_are_broken(capsys, folder, model_bytes):
    (folder / "t.csv").write_text(as_csv(ROWS))
    flipped = bytearray(model_bytes)
    flipped[len(flipped) // 2] ^= 1
    for content, message in (
        (model_bytes[:-1000], "damaged"),
        (bytes(flipped), "damaged"),
        (b"no model", "is not an assay model"),
        (b"", "is not an assay model"),
    ):
        (folder / "m.assay").write_bytes(content)
        for verb in (
            ["predict", "m.assay", "t.csv"],
            ["show", "m.assay"],
            ["evaluate", "m.assay", "t.csv"],
        ):
            assert message in refused(capsys, *verb)


def test_tables_that_do_not_fit_the_model(capsys, folder, model_bytes):
    (folder / "m.assay").write_bytes(model_bytes)
    pl.DataFrame({"age": [30]}).write_csv(folder / "narrow.csv")
    assert "'town'" in refused(capsys, "predict", "m.assay", "narrow.csv")
    (folder / "words.csv").write_text("age,town\n30,a\nold,b\n")
    line = refused(capsys, "predict", "m.assay", "words.csv", "-o", "out.csv")
    assert "row 2" in line
    assert "'old'" in line
    (folder / "other.csv").write_text("age,town,y\n30,a,maybe\n")
    assert "no class 'maybe'" in refused(capsys, "evaluate", "m.assay", "other.csv")


def test_a_full_disk_leaves_no_model(tmp_path):
    import subprocess
    import sys

    (tmp_path / "t.csv").write_text(as_csv(ROWS))
    program = (
        "import resource, sys\n"
        "from assay.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, "train", "t.csv", "--target", "y", *FAST]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "cannot write" in done.stderr
    assert os.listdir(tmp_path) == ["t.csv"]
