"""Is what assay says of itself true? Small training sets of large tables, judged on the rest.

Each draw takes 1,000 rows of a large table at random; nearly all others stay untouched and
are the truth. Draw i uses table i modulo the number of tables. Three parts:

- promise: a training; do the 95 % intervals of accuracy and log loss cover what the model
  scores on the untouched rows, and do the conformal sets hold as many true classes as they
  should?
- equal: two populations that differ in nothing but their seed, on the same folds: does
  `compare` claim a difference? By rows alone it would; that is told beside.
- shuffled: the same rows with labels dealt at random: does the verdict say "no signal"?

A line per draw and part goes to a results file at once, so that a run that is stopped
goes on where it was.

    python benchmarks/honesty.py FOLDER [--draws 200] [--parts promise equal shuffled]
    python benchmarks/honesty.py --summary FILE
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).parent
PARTS = ("promise", "equal", "shuffled")
N_TRAIN, N_TRUTH, N_SETS = 1_000, 20_000, 20_000
LEAST_ROWS, MOST_CLASSES = 20_000, 10

# Fast, and said so: small networks, few epochs, one repeat, few resamples.
FAST = {
    "model.hidden": [32],
    "train.epochs": 20,
    "split.folds": 5,
    "split.repeats": 1,
    "evaluate.bootstrap": 200,
    "evaluate.findings": False,
    "evaluate.importance": False,
}


def draw(frame: pl.DataFrame, target: str, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return training rows and rows for the truth, of the classes that training knows."""
    order = np.random.default_rng([seed, 77]).permutation(frame.height)
    train = frame[order[:N_TRAIN]]
    counts = train[target].value_counts()
    rare = counts.filter(pl.col("count") < 10)[target].to_list()  # they could not be dealt
    train = train.filter(~pl.col(target).is_in(rare))
    truth = frame[order[N_TRAIN : N_TRAIN + N_TRUTH]]
    return train, truth.filter(pl.col(target).is_in(train[target].unique().to_list()))


def promise(train: pl.DataFrame, truth: pl.DataFrame, target: str, seed: int) -> dict[str, Any]:
    import assay
    from assay.metrics import accuracy, log_loss

    model = assay.train(train, target, options={**FAST, "seed": seed})
    classes = [str(name) for name in model.classes]
    y = truth[target].replace_strict(dict(zip(classes, range(len(classes)), strict=True)),
                                     return_dtype=pl.Int64).to_numpy()  # fmt: skip
    features = truth.drop(target)
    proba = model.predict_proba(features)
    true = {"accuracy": accuracy(y, proba.argmax(axis=1)), "log_loss": log_loss(y, proba)}
    scores = model.evaluation["validation"]["scores"]
    told = {name: {**scores[name], "truth": float(true[name])} for name in true}
    result = {"scores": told, "verdict": model.evaluation["verdict"]["text"]}
    if "conformal" in model.evaluation.get("decisions", {}):
        sets = model.decide(features[:N_SETS], "set")
        result["sets"] = {
            "coverage": model.evaluation["decisions"]["conformal"]["coverage"],
            "truth": float(sets[np.arange(len(sets)), y[:N_SETS]].mean()),
            "mean_size": float(sets.sum(axis=1).mean()),
        }
    return result


def equal(train: pl.DataFrame, _: pl.DataFrame, target: str, seed: int) -> dict[str, Any]:
    from assay.evaluate.compare import compare, row_figures
    from assay.evaluate.mixture import cross_fitted
    from assay.ledger import Ledger
    from assay.recipe import Recipe
    from assay.samples import read_samples

    recipe = Recipe().with_options({"target": target, **FAST, "seed": seed})
    samples = read_samples(train, recipe, Ledger(), on_stage=lambda name: None)
    losses = []
    for own_seed in (seed, seed + 100_000):
        logs = {"network": population_logs(samples, recipe.with_options({"seed": own_seed}))}
        proba = cross_fitted(logs, ["network"], samples.y, is_calibrated=True, seed=seed)[0]
        losses.append(row_figures("log_loss", samples.y, proba))
    split = samples.split
    fold = np.full((split.n_repeats, split.n_rows), -1)
    for (repeat, number), left_out in zip(split.member_fold, split.validation, strict=True):
        fold[repeat, left_out] = number
    ratio = float(split.validation.sum() / split.train.sum())
    found = compare(*losses, fold, test_per_train=ratio)
    by_rows = compare(*losses, np.where(fold >= 0, 0, -1), test_per_train=ratio)
    return {"p_value": found.p_value, "p_value_rows": by_rows.p_value, "estimate": found.estimate}


def population_logs(samples: Any, recipe: Any) -> np.ndarray:
    """Train networks on given folds; return what they say of left-out rows, (R, N, C)."""
    import torch

    from assay.training.history import Silent
    from assay.training.loop import train_population
    from assay.training.predictions import out_of_fold
    from assay.training.setup import set_up

    setup = set_up(samples, recipe, torch.device("cpu"))
    train_population(setup.network, setup.lesson, recipe.train, seed=recipe.seed, observer=Silent())
    lesson = setup.lesson
    return out_of_fold(setup.network, lesson.rows, lesson.validation, samples.split.repeat)


def shuffled(train: pl.DataFrame, _: pl.DataFrame, target: str, seed: int) -> dict[str, Any]:
    import assay

    labels = train[target].to_numpy()[np.random.default_rng([seed, 78]).permutation(train.height)]
    noise = train.with_columns(pl.Series(target, labels, dtype=pl.String))
    model = assay.train(noise, target, options={**FAST, "seed": seed})
    verdict = model.evaluation["verdict"]
    return {key: verdict.get(key) for key in ("has_signal", "signal_p_value", "shipped", "text")}


def summary(lines: list[dict[str, Any]]) -> None:
    """Print each share with its Monte-Carlo interval beside what it should be."""
    found = {part: [line for line in lines if line["part"] == part] for part in PARTS}
    print(f"settings of every training: {json.dumps(FAST)}\n")
    print(f"{'what':52} {'share':>6}  {'95 % of chance':>15}  {'goal':12} {'n':>4}")
    promises = [line for line in found["promise"] if "failure" not in line]
    for name in ("accuracy", "log_loss"):
        scores = [line["scores"][name] for line in promises]
        inside = [one["low"] <= one["truth"] <= one["high"] for one in scores]
        report(f"95 % interval of {name} covers the truth", inside, "0.92 to 0.98")
        if scores:
            bias = np.mean([one["estimate"] - one["truth"] for one in scores])
            print(f"{'  estimate - truth, mean':52} {bias:+.4f}")
    sets = [line["sets"] for line in promises if "sets" in line]
    if sets:
        held = [one["truth"] for one in sets]
        error = np.std(held, ddof=1) / np.sqrt(len(held)) if len(held) > 1 else np.nan
        wanted = f"sets of {sets[0]['coverage']:.0%} hold the true class"
        ends = f"{np.mean(held) - 1.96 * error:.3f} to {np.mean(held) + 1.96 * error:.3f}"
        print(f"{wanted:52} {np.mean(held):6.3f}  {ends:>15}  {'0.88 to 0.93':12} {len(held):4}")
    p_values = [line for line in found["equal"] if "failure" not in line]
    for key, what in (("p_value", "by folds (the verdict)"), ("p_value_rows", "by rows alone")):
        claims = [line[key] is not None and line[key] < 0.05 for line in p_values]
        report(f"equal candidates told apart, {what}", claims, "at most 0.05")
    noise = [line for line in found["shuffled"] if "failure" not in line]
    report("shuffled labels: no signal", [not line["has_signal"] for line in noise], "least 0.95")
    for line in lines:
        if "failure" in line:
            print(f"failed: {line['part']} {line['table']} {line['draw']}: {line['failure']}")


def report(what: str, hits: list[bool], goal: str) -> None:
    from assay.evaluate.intervals import wilson

    share = wilson(sum(hits), len(hits))
    if share.estimate is None:
        return
    ends = f"{share.low:.3f} to {share.high:.3f}"
    print(f"{what:52} {share.estimate:6.3f}  {ends:>15}  {goal:12} {len(hits):4}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--only", nargs="*", default=[], help="names of tables")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "honesty.jsonl")
    parser.add_argument("--summary", type=Path)
    options = parser.parse_args()
    if options.summary or not options.folder:
        file = options.summary or options.out
        return summary([json.loads(line) for line in file.read_text().splitlines()])
    index = json.loads((options.folder / "index.json").read_text())
    tables = [
        table
        for table in sorted(index, key=lambda table: table["name"])
        if table["n_rows"] >= LEAST_ROWS
        and table["n_classes"] <= MOST_CLASSES
        and (not options.only or table["name"] in options.only)
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    known = options.out.read_text().splitlines() if options.out.exists() else []
    lines = [json.loads(line) for line in known]
    done = {(line["part"], line["draw"]) for line in lines}
    for number in range(options.first, options.first + options.draws):
        table = tables[number % len(tables)]
        left = [part for part in options.parts if (part, number) not in done]
        if not left:
            continue
        frame = pl.read_parquet(options.folder / table["name"] / "data.parquet")
        frame = frame.filter(pl.col(table["target"]).is_not_null())
        frame = frame.with_columns(pl.col(table["target"]).cast(pl.String))
        pair = draw(frame, table["target"], number)
        for part in left:
            start = time.perf_counter()
            line = {"part": part, "table": table["name"], "draw": number}
            try:
                line |= globals()[part](*pair, table["target"], number)
            except Exception as error:  # one table must not end the run
                line["failure"] = f"{type(error).__name__}: {error}"[:200]
            line["seconds"] = round(time.perf_counter() - start, 1)
            lines.append(line)
            print(json.dumps(line)[:160], flush=True)
            with options.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
    summary(lines)


if __name__ == "__main__":
    main()
