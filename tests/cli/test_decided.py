"""Decisions on the command line: costs, thresholds and sets in, labels out."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from assay import Model, load
from assay.cli.cost_file import read_cost_file
from assay.decide import Decisions, Sets, Threshold
from assay.errors import InternalError, UserError
from assay.modelfile import load_model
from assay.rules import Rule

APPLE = '{"weight": 85.5, "colour": "red"}'
PROBA = ["proba_apple", "proba_pear"]


def with_decisions(path, decisions):
    contents = load_model(path)
    return Model(replace(contents, predictor=replace(contents.predictor, decisions=decisions)))


@pytest.fixture(scope="module")
def deciding(model, fruit):
    """The model of the fruits, with decisions made by hand; everything that is no sure apple."""
    middle = float(np.median(load(model).predict_proba(fruit)[:, 1]))
    decisions = Decisions(
        ("apple", "pear"),
        threshold=Threshold(1, middle),
        cost=np.array([[0.0, 1.0], [1000.0, 0.0]]),
        sets=Sets(0.9, np.array([0.5, 0.9]), np.array([[middle], [0.0]])),
        abstention=Rule("probability", 1 - middle),
    )
    path = model.with_name("deciding.assay")
    with_decisions(model, decisions).save(path)
    return path


@pytest.fixture(scope="module")
def old(model):
    """A model file of an earlier release."""
    path = model.with_name("old.assay")
    with_decisions(model, None).save(path)
    return path


def rows(text: str) -> pl.DataFrame:
    return pl.read_csv(text.encode(), infer_schema=False)


@pytest.mark.parametrize("how", ["label", "cost", "threshold", "set", "abstain"])
def test_the_label_is_the_decision(run, deciding, fruit, how):
    result = run("predict", deciding, fruit, "--decide", how, "-q")
    frame = rows(result.out)
    assert result.status == 0
    assert frame.columns == ["label", *(["set"] if how == "set" else []), *PROBA]
    loaded = load(deciding)
    proba = loaded.predict_proba(fruit)
    expected = loaded.labels(loaded.deciding().decide(proba, how)).tolist()
    assert frame["label"].to_list() == expected
    written = frame.select(pl.col(PROBA).cast(pl.Float64)).to_numpy()
    np.testing.assert_allclose(written, proba, atol=1e-6)


def test_dear_misses_make_every_row_a_pear(run, deciding, fruit):
    frame = rows(run("predict", deciding, fruit, "--decide", "cost", "-q").out)
    assert set(frame["label"]) == {"pear"}


def test_a_threshold_at_the_median_halves_the_rows(run, deciding, fruit):
    frame = rows(run("predict", deciding, fruit, "--decide", "threshold", "-q").out)
    assert 25 <= frame["label"].to_list().count("pear") <= 35


def test_rows_that_are_not_sure_have_no_label(run, deciding, fruit):
    frame = rows(run("predict", deciding, fruit, "--decide", "abstain", "-q").out)
    assert 0 < frame["label"].null_count() < 60
    lines = run("predict", deciding, fruit, "--decide", "abstain", "--json", "-q").out.splitlines()
    assert {json.loads(line)["label"] for line in lines} >= {None}


def test_sets_are_json_in_csv_and_lists_elsewhere(run, deciding, fruit, tmp_path):
    args = ("predict", deciding, fruit, "--decide", "set", "-q")
    texts = rows(run(*args).out)["set"].to_list()
    assert set(texts) == {'["apple", "pear"]'}
    assert run(*args, "-o", tmp_path / "out.parquet").status == 0
    lists = pl.read_parquet(tmp_path / "out.parquet")["set"].to_list()
    assert lists == [json.loads(text) for text in texts]
    first = json.loads(run(*args, "--json").out.splitlines()[0])
    assert first["set"] == ["apple", "pear"]
    assert first["label"] is None


def test_another_coverage_gives_other_sets(run, deciding, fruit):
    args = ("predict", deciding, fruit, "--decide", "set", "--columns", "set,label,weight", "-q")
    frame = rows(run(*args, "--coverage", "0.5").out)
    assert frame.columns == ["set", "label", "weight"]
    assert {len(json.loads(text)) for text in frame["set"]} <= {0, 1, 2}
    single = frame.filter(pl.col("label").is_not_null())
    assert [json.loads(text) for text in single["set"]] == [[one] for one in single["label"]]
    assert frame["set"].to_list() != rows(run(*args).out)["set"].to_list()


def test_a_record_is_decided_too(run, deciding):
    told = json.loads(run("predict", deciding, "--record", APPLE, "--decide", "set").out)
    assert (told["label"], told["set"]) == (None, ["apple", "pear"])
    told = json.loads(run("predict", deciding, "--record", f"[{APPLE}]", "--decide", "cost").out)
    assert told[0]["label"] == "pear"
    assert set(told[0]) == {"label", "proba"}


def test_a_cost_file_goes_before_the_stored_costs(run, deciding, fruit, tmp_path):
    costs = tmp_path / "costs.csv"
    costs.write_text(",pear,apple\napple,1000,0\npear,0,1\n")
    args = ("predict", deciding, fruit, "--decide", "cost", "-q")
    assert set(rows(run(*args, "--cost", costs).out)["label"]) == {"apple"}


def test_an_old_model_decides_by_a_cost_file(run, old, fruit, tmp_path):
    costs = tmp_path / "costs.toml"
    costs.write_text("[apple]\npear = 1000\n[pear]\napple = 0.5\n")
    args = ("predict", old, fruit, "-q", "--decide")
    assert set(rows(run(*args, "cost", "--cost", costs).out)["label"]) == {"apple"}
    likeliest = rows(run("predict", old, fruit, "-q").out)
    assert rows(run(*args, "label").out).equals(likeliest)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cost", "no cost matrix. Give one with --cost FILE."),
        ("threshold", "no threshold."),
        ("set", "no conformal sets. Train with this release"),
        ("abstain", "no rule for giving no label."),
    ],
)
def test_an_old_model_says_what_it_does_not_hold(run, old, fruit, how, said):
    result = run("predict", old, fruit, "--decide", how, "-q")
    assert (result.status, result.out) == (2, "")
    assert f"assay: the model holds {said}" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--decide", "costs"], "'costs' is no way to decide. Did you mean 'cost'?"),
        (["--cost", "none.csv"], "--cost: decides nothing by itself. Give --decide cost"),
        (["--coverage", "0.9"], "--coverage: decides nothing by itself. Give --decide set"),
        (["--decide", "set", "--coverage", "1.5"], "outside (0, 1)"),
        (["--decide", "set", "--coverage", "0"], "outside (0, 1)"),
        (["--decide", "set", "--coverage", "nan"], "outside (0, 1)"),
        (["--decide", "set", "--coverage", "0.95"], "holds sets for a coverage of 0.5 to 0.9"),
        (["--decide", "cost", "--coverage", "0.9"], "--decide cost makes no sets"),
        (["--decide", "set", "--cost", "none.csv"], "--decide set knows no costs"),
        (["--decide", "cost", "--cost", "none.csv"], "none.csv: cannot read the costs"),
        (["--columns", "set"], "no column 'set'. Give --decide set as well"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(run, deciding, fruit, args, said):
    result = run("predict", deciding, fruit, *args, "-q")
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.csv", 'true,"a|b, c",<x>\n<x>,2.5,\n"a|b, c",0,-1\n\n'),
        ("c.csv", "\ufeff;a|b, c;<x>\r\n<x>;2,5;\r\na|b, c;0;-1\r\n"),
        ("c.csv", "\ta|b, c\t<x>\n<x>\t2.5\t\na|b, c\t0\t-1"),
        ("c.toml", '["<x>"]\n"a|b, c" = 2.5\n["a|b, c"]\n"a|b, c" = 0\n"<x>" = -1\n'),
    ],
)
def test_costs_are_read_in_every_layout(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    assert read_cost_file(str(path)) == {
        "<x>": {"a|b, c": 2.5},
        "a|b, c": {"a|b, c": 0.0, "<x>": -1.0},
    }


@pytest.mark.attack
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.csv", b"", "holds no cost"),
        ("c.csv", b",a,b\n", "no line for class 'a'"),
        ("c.csv", b"a\n1\n", "line 1: names no class"),
        ("c.csv", b",a,b\na,0,1\n", "no line for class 'b', which its first line names"),
        ("c.csv", b",a\na,0\nb,1\n", "a line for class 'b', but no column"),
        ("c.csv", b",a,b\na,0,1\na,0,1\n", "line 3: class 'a' has two lines"),
        ("c.csv", b",a,a\na,0,1\n", "two columns are called 'a'"),
        ("c.csv", b",a,b\na,0\nb,1,0\n", "line 2: holds 1 of 2 costs"),
        ("c.csv", b",a,b\na,0,much\nb,1,0\n", "line 2, column 'b': 'much' is no cost"),
        ("c.csv", b",a,b\na,0,nan\nb,1,0\n", "'nan' is no cost"),
        ("c.csv", b",a,b\na,0,1e999\nb,1,0\n", "'1e999' is no cost"),
        ("c.csv", b"\xff\xfe,a", "not UTF-8"),
        ("c.csv", b',"a\nb', "no line for class|not valid CSV"),
        ("c.toml", b"a = 5", "'a' is no table of costs"),
        ("c.toml", b"[a]\nb = 'x'", "'a' as 'b': 'x' is no cost"),
        ("c.toml", b"[a]\nb = inf", "inf is no cost"),
        ("c.toml", b"[a]\nb = 1" + b"0" * 400, "a number of hundreds of digits is no cost"),
        ("c.toml", b"[a", "not valid TOML"),
    ],
)
def test_files_that_are_no_costs_are_refused(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        read_cost_file(str(path))
    assert str(path) in str(caught.value)


def test_costs_of_other_classes_are_refused(run, deciding, fruit, tmp_path):
    costs = tmp_path / "costs.csv"
    costs.write_text(",apple,plum\napple,0,1\nplum,1,0\n")
    result = run("predict", deciding, fruit, "--decide", "cost", "--cost", costs, "-q")
    assert result.status == 2
    assert "costs.csv: the target has no class 'plum'. Known: 'apple', 'pear'." in result.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--cost", "c.csv"], "assay: c.csv: the target has no class 'plum'"),
        (["--set", "decide.coverage=1"], "decide.coverage = 1 should be less than 1"),
        (["--set", "decide.threshold=auc"], "'auc' is no rule for a threshold"),
        (["--set", "decide.positive=plum"], "decide.positive: the target has no class 'plum'"),
        (["--set", "decide.priors={plum=0.5}"], "decide.priors: the target has no class 'plum'"),
        (["--set", "decide.abstain=cost<=2"], "'cost<=2' needs costs"),
    ],
)
def test_train_refuses_before_it_trains(run, fruit, tmp_path, monkeypatch, args, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.csv").write_text(",apple,plum\napple,0,1\nplum,1,0\n")
    result = run("train", fruit, "--target", "fruit", "-o", "m.assay", *args, "-q")
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert "training" not in result.err
    assert not (tmp_path / "m.assay").exists()


def test_a_metric_for_two_classes_does_not_fit_three(run, tmp_path):
    table = tmp_path / "three.csv"
    table.write_text("a,y\n" + "".join(f"{idx % 7}.5,{'xyz'[idx % 3]}\n" for idx in range(60)))
    args = ["--target", "y", "-o", tmp_path / "m.assay", "-q", "--set", "decide.threshold=f1"]
    result = run("train", table, *args)
    assert result.status == 2
    assert "'f1' is for one class against the rest, and the target has 3 classes" in result.err


def test_train_stores_costs_and_fits_the_rest(run, fruit, quick, tmp_path):
    costs = tmp_path / "c.csv"
    costs.write_text(",apple,pear\napple,,1\npear,100,\n")
    path = tmp_path / "m.assay"
    args = ["--target", "fruit", "-o", path, "-q", "--cost", costs]
    assert run("train", fruit, *args, *quick).status == 0
    costs.unlink()
    loaded = load(path)
    told = loaded.evaluation["decisions"]
    assert told["cost"]["matrix"] == [[0.0, 1.0], [100.0, 0.0]]
    assert told["threshold"]["positive"] == "pear"
    proba = loaded.predict_proba(fruit)
    labels = rows(run("predict", path, fruit, "--decide", "cost", "-q").out)["label"]
    assert labels.to_list() == np.where(proba[:, 1] > 1 / 101, "pear", "apple").tolist()
    for how in ("threshold", "set", "abstain", "label"):
        assert run("predict", path, fruit, "--decide", how, "-q").status == 0


def test_the_library_decides_as_the_command_does(deciding, fruit):
    loaded = load(deciding)
    assert set(loaded.decide(fruit, "cost")) == {"pear"}
    assert loaded.decide(fruit, "set").shape == (60, 2)
    assert loaded.decide(fruit, "set").dtype == bool
    assert None in loaded.decide(fruit, "abstain").tolist()
    cheap = {"apple": {"pear": 1000}, "pear": {"apple": 1}}
    assert set(loaded.decide(fruit, "cost", cost=cheap)) == {"apple"}
    matrix = np.array([[0.0, 1000.0], [1.0, 0.0]])
    assert set(loaded.decide(fruit, "cost", cost=matrix)) == {"apple"}
    np.testing.assert_array_equal(loaded.decide(fruit), loaded.predict(fruit))
    with pytest.raises(UserError, match=r"shape \(3, 3\), the target 2 classes"):
        loaded.decide(fruit, "cost", cost=np.ones((3, 3)))
    with pytest.raises(UserError, match="'best' is no way to decide"):
        loaded.decide(fruit, "best")


def test_a_model_file_keeps_its_decisions(deciding, tmp_path):
    loaded = load(deciding)
    loaded.save(tmp_path / "again.assay")
    assert (tmp_path / "again.assay").read_bytes() == deciding.read_bytes()
    assert load(tmp_path / "again.assay").deciding().to_dict() == loaded.deciding().to_dict()


def test_decisions_between_other_classes_are_damage(model, tmp_path):
    path = tmp_path / "m.assay"
    wrong = with_decisions(model, Decisions(("plum", "pear")))
    with pytest.raises(InternalError, match="decisions are between other classes"):
        wrong.save(path)
    assert not path.exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.modelfile.save._check_parts", lambda parts: None)
        wrong.save(path)
    with pytest.raises(UserError, match=r"damaged: .*decisions are between other classes"):
        load(path)


def capacity(path, limit, value):
    """Return the model of the fruits with a threshold for a share of the rows."""
    contents = load_model(path)
    recipe = contents.predictor.recipe.with_options({"decide.threshold": f"top {limit}%"})
    decisions = Decisions(("apple", "pear"), threshold=Threshold(1, value))
    predictor = replace(contents.predictor, decisions=decisions, recipe=recipe)
    return Model(replace(contents, predictor=predictor))


@pytest.mark.parametrize(("limit", "is_told"), [(5, True), (45, False)])
def test_a_threshold_that_names_more_rows_than_its_share_warns(
    run, model, fruit, tmp_path, limit, is_told
):
    middle = float(np.median(load(model).predict_proba(fruit)[:, 1]))
    path = tmp_path / "top.assay"
    capacity(model, limit, middle).save(path)
    result = run("predict", path, fruit, "--decide", "threshold")
    assert result.status == 0
    said = f"of 60 rows, 50.0%, more than the {limit}% that were asked for"
    assert (said in " ".join(result.err.split())) == is_told
    assert "warning" not in run("predict", path, fruit, "--decide", "threshold", "-q").err
    assert "warning" not in run("predict", path, fruit).err
