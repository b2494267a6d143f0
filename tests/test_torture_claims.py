"""A suite that tries nothing keeps no promise."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

PLACE = Path(__file__).parents[1] / "benchmarks" / "torture" / "claims.py"


@pytest.fixture(scope="module")
def claims() -> ModuleType:
    spec = importlib.util.spec_from_file_location("torture_claims", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("share", "kept", "of", "verdict"),
    [
        ("1", 3, 3, "kept"),
        ("1", 2, 3, "BROKEN"),
        ("1", 0, 0, "BROKEN"),
        ("0.02", 0, 0, "not tried"),
        ("0.02", 0, 1, "BROKEN"),
    ],
)
def test_a_promise_is_kept_where_all_of_some_tries_are(
    claims, share, kept, of, verdict, tmp_path, capsys
):
    out = tmp_path / "figures.jsonl"
    told = claims.Claims("suite", "What it does.", ["--out", str(out), "--share", share])
    told.tell("holds", kept=3, of=3)
    told.tell("nothing breaks", kept=kept, of=of, slowest_s=2)
    assert told.end() == (verdict == "BROKEN")
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(verdict)
    assert line.endswith(f"{kept} of {of}  nothing breaks, slowest s 2")
    assert json.loads(out.read_text())["claims"][1]["of"] == of
