"""assay beside its peers, all at their defaults, on the same splits of many tables.

Each table is split 70/30 by class, training rows capped at 10,000 and test rows at
20,000, for each seed. Each contender fits in a process of its own, one at a time. A
line per fit goes to a results file at once, so that a run that is stopped goes on
where it was.

    python benchmarks/accuracy.py FOLDER [--contenders assay catboost] [--seeds 3]
        [--half choose|confirm] [--peers-python .venv-peers/bin/python]
    python benchmarks/accuracy.py --summary FILE [--ours assay_network]

Choose defaults on one half of the tables (`--half choose`), confirm on the other.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent
MAX_TRAIN, MAX_TEST = 10_000, 20_000
LIMIT_S = 1800.0
PEERS = ("logistic", "boosting", "lightgbm", "xgboost", "catboost", "realmlp", "realmlp_5fold")


def split(frame: pl.DataFrame, target: str, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return 70 % and 30 % of the labelled rows, each class in proportion."""
    frame = frame.filter(pl.col(target).is_not_null())
    rng = np.random.default_rng(seed)
    order = rng.permutation(frame.height)
    labels = frame[target].cast(pl.String).to_numpy()[order]
    is_train = np.zeros(frame.height, dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        is_train[rows[: max(round(0.7 * len(rows)), 1)]] = True
    return frame[order[is_train]][:MAX_TRAIN], frame[order[~is_train]][:MAX_TEST]


def scores(y: np.ndarray, proba: np.ndarray, n_classes: int) -> dict[str, float | None]:
    from assay.metrics import auroc

    if proba.shape[1] != n_classes:
        raise ValueError(f"{proba.shape[1]} probabilities for {n_classes} classes")
    # One row in ten thousand given no chance must not decide the mean of a table.
    clipped = np.clip(proba, 1e-6, 1.0)
    clipped /= clipped.sum(axis=1, keepdims=True)
    area = auroc(y, clipped)
    return {
        "log_loss": float(-np.log(clipped[np.arange(len(y)), y]).mean()),
        "accuracy": float((proba.argmax(axis=1) == y).mean()),
        "auroc": None if np.isnan(area) else float(area),
    }


def measure(name: str, table: dict, seed: int, folder: Path, python: str) -> dict:
    frame = pl.read_parquet(folder / table["name"] / "data.parquet")
    train, test = split(frame, table["target"], seed)
    classes = sorted(train[table["target"]].cast(pl.String).unique().to_list())
    index = {label: idx for idx, label in enumerate(classes)}
    coded = [
        part.filter(pl.col(table["target"]).cast(pl.String).is_in(classes)).with_columns(
            pl.col(table["target"]).cast(pl.String).replace_strict(index, return_dtype=pl.Int64)
        )
        for part in (train, test)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        paths = [f"{scratch}/train.parquet", f"{scratch}/test.parquet"]
        for part, path in zip(coded, paths, strict=True):
            part.write_parquet(path)
        command = [python, str(HERE / "contenders.py"), name, *paths, table["target"], str(seed),
                   f"{scratch}/out.npz"]  # fmt: skip
        result = {"table": table["name"], "contender": name, "seed": seed, "n_train": train.height}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return {**result, "failure": f"more than {LIMIT_S:.0f} s"}
        if done.returncode:
            return {**result, "failure": done.stderr.strip().splitlines()[-1][:200]}
        out = np.load(f"{scratch}/out.npz")
        figures = {key: round(float(out[key]), 3) for key in ("fit_s", "predict_s", "peak_mb")}
        y = coded[1][table["target"]].to_numpy()
        return {**result, **scores(y, out["proba"], len(classes)), **figures}


def summary(lines: list[dict], ours: str) -> None:
    """Print ranks, win rates of one contender and geometric-mean ratios."""
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for contender in sorted({line["contender"] for line in lines}):
        for name in sorted({line["table"] for line in lines}):
            own = [
                line for line in lines if (line["contender"], line["table"]) == (contender, name)
            ]
            if own and all("log_loss" in line for line in own):
                means = {key: float(np.mean([line[key] for line in own]))
                         for key in ("log_loss", "accuracy", "fit_s")}  # fmt: skip
                tables.setdefault(name, {})[contender] = means
    everyone = sorted({line["contender"] for line in lines})
    full = [row for row in tables.values() if len(row) == len(everyone)]
    print(f"{len(tables)} tables, {len(full)} with every contender")
    for contender in everyone:
        losses = [_rank({name: one["log_loss"] for name, one in row.items()}, contender)
                  for row in full]  # fmt: skip
        errors = [_rank({name: -one["accuracy"] for name, one in row.items()}, contender)
                  for row in full]  # fmt: skip
        print(f"  {contender:14} mean rank in log loss {np.mean(losses):.2f}, "
              f"in accuracy {np.mean(errors):.2f}")  # fmt: skip
    for peer in everyone:
        both = [row for row in tables.values() if ours in row and peer in row]
        if peer == ours or not both:
            continue
        losses = [_log_ratio(row[ours]["log_loss"], row[peer]["log_loss"]) for row in both]
        times = [row[ours]["fit_s"] / row[peer]["fit_s"] for row in both]
        won = np.mean([row[ours]["log_loss"] < row[peer]["log_loss"] for row in both])
        points = [_points(row[ours]["accuracy"], row[peer]["accuracy"]) for row in both]
        print(
            f"  against {peer:14} wins {won:.2f} in log loss, {np.mean(points):.2f} in accuracy; "
            f"ratio of log loss {np.exp(np.mean(losses)):.3f}; "
            f"fit time, median ratio {np.median(times):.2f} ({len(both)} tables)"
        )


def _rank(values: dict[str, float], name: str) -> float:
    """Return the rank of a contender, 1 for the lowest value; equals share theirs."""
    own = values[name]
    n_below = sum(value < own for value in values.values())
    return n_below + (1 + sum(value == own for value in values.values())) / 2


def _log_ratio(ours: float, theirs: float) -> float:
    return float(np.log(max(ours, 1e-4) / max(theirs, 1e-4)))


def _points(ours: float, theirs: float) -> float:
    return 0.5 if ours == theirs else float(ours > theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--contenders", nargs="*", default=["assay", *PEERS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--half", choices=("all", "choose", "confirm"), default="all")
    parser.add_argument("--peers-python", default=".venv-peers/bin/python")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "accuracy.jsonl")
    parser.add_argument("--summary", type=Path)
    parser.add_argument("--ours", default="assay", help="who is compared with the others")
    options = parser.parse_args()
    if options.summary:
        lines = options.summary.read_text().splitlines()
        return summary([json.loads(line) for line in lines], options.ours)
    tables = sorted(
        json.loads((options.folder / "index.json").read_text()), key=lambda t: t["name"]
    )
    start = {"all": 0, "choose": 0, "confirm": 1}[options.half]
    tables = tables[start :: 1 if options.half == "all" else 2]
    tables = [table for table in tables if not options.only or table["name"] in options.only]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    known = options.out.read_text().splitlines() if options.out.exists() else []
    lines = [json.loads(line) for line in known]
    done = {(line["table"], line["contender"], line["seed"]) for line in lines}
    print(f"{platform.machine()}, Python {platform.python_version()}")
    for table in sorted(tables, key=lambda t: t["n_rows"] * t["n_cols"]):
        for seed in range(options.seeds):
            for name in options.contenders:
                if (table["name"], name, seed) in done:
                    continue
                python = sys.executable if name.startswith("assay") else options.peers_python
                lines.append(measure(name, table, seed, options.folder, python))
                print(json.dumps(lines[-1]), flush=True)
                with options.out.open("a") as file:
                    file.write(json.dumps(lines[-1]) + "\n")
    summary(lines, options.ours)


if __name__ == "__main__":
    main()
