"""What ships and what it is compared by are chosen on the command line."""

import json

import pytest


def test_metric_and_preference_reach_the_verdict(run, fruit, tmp_path, quick):
    args = ["train", fruit, "--target", "fruit", "-o", tmp_path / "m.assay", "--json", *quick]
    result = run(*args, "--metric", "accuracy", "--prefer", "network")
    assert result.status == 0
    verdict = json.loads(result.out)["evaluation"]["verdict"]
    assert (verdict["shipped"], verdict["prefer"], verdict["metric"]) == (
        *("network", "network", "accuracy"),
    )
    assert {one["metric"] for one in verdict["comparisons"]} == {"log_loss", "accuracy"}


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--metric", "rmse", "evaluate.metric = 'rmse'"),
        ("--prefer", "trees", "model.prefer = 'trees'"),
    ],
)
def test_a_metric_or_preference_that_there_is_not_is_told(run, fruit, option, value, told):
    result = run("train", fruit, "--target", "fruit", option, value)
    assert result.status == 2
    assert told in result.err
    assert result.err.count("\n") == 1
