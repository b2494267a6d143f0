"""A whole job on a table that ships with assay."""

import json
import re

import polars as pl
import pytest

from assay import load
from assay.cli import choices


def test_demos_are_listed(run):
    result = run("demo")
    assert result.status == 0
    assert [line.split()[0] for line in result.out.splitlines()] == ["titanic", "people"]


def test_demos_are_listed_as_json(run):
    listed = json.loads(run("demo", "--json").out)
    assert [one["name"] for one in listed] == ["titanic", "people"]
    assert all(one["about"] for one in listed)


def test_unknown_demo_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("demo", "titanik")
    assert result.status == 2
    assert "Did you mean 'titanic'?" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def brief(monkeypatch):
    """Let recipes train two epochs only."""
    whole = choices.make_recipe

    def make_brief(table, name, settings, *, shortcuts):
        return whole(table, name, ["train.epochs=2"], shortcuts=shortcuts)

    monkeypatch.setattr(choices, "make_recipe", make_brief)


@pytest.mark.story
def test_titanic_writes_table_model_and_predictions(run, tmp_path, monkeypatch, brief):
    monkeypatch.chdir(tmp_path)
    result = run("demo", "titanic")
    assert result.status == 0
    folder = tmp_path / "assay-demo-titanic"
    written = {f"titanic.{ending}" for ending in ("assay", "html", "json", "md")}
    names = {"titanic.csv", "passengers.csv", "predictions.csv"} | written
    assert {path.name for path in folder.iterdir()} == names
    assert "$ assay train assay-demo-titanic/titanic.csv --recipe titanic" in result.out
    assert re.search(r"Accuracy of one network .*: 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", result.out)
    predicted = pl.read_csv(folder / "predictions.csv")
    assert predicted.columns == ["Name", "label", "proba_0", "proba_1"]
    assert predicted.height == 10
    assert load(folder / "titanic.assay").target == "Survived"


@pytest.mark.story
def test_people_is_tested_and_answers_for_one_person(run, tmp_path, brief):
    folder = tmp_path / "a folder"
    result = run("demo", "people", "--folder", folder)
    assert result.status == 0
    written = {f"people.{ending}" for ending in ("assay", "html", "json", "md")}
    names = {"people_train.csv", "people_test.csv", "predictions.csv"} | written
    assert {path.name for path in folder.iterdir()} == names
    assert "40 test rows that no model saw: accuracy 0." in result.out
    answer = json.loads(re.search(r"^\{$.*?^\}$", result.out, re.DOTALL | re.MULTILINE).group())
    assert set(answer["proba"]) == {"conservative", "liberal", "moderate"}


@pytest.mark.story
def test_shown_commands_give_the_same_predictions(run, tmp_path, monkeypatch, brief):
    import shlex

    monkeypatch.chdir(tmp_path)
    shown = run("demo", "people").out
    folder = tmp_path / "assay-demo-people"
    before = (folder / "predictions.csv").read_bytes()
    (folder / "predictions.csv").unlink()
    commands = [line[2:] for line in shown.splitlines() if line.startswith("$ ")]
    for command in commands:
        assert run(*shlex.split(command)[1:]).status == 0
    assert (folder / "predictions.csv").read_bytes() == before
