"""Train with defaults on every table of a folder, untouched, and list what came out.

Each table is one `assay train` process with a cap on its time. The folder holds an
`index.json` (a list of {name, target, n_rows, n_cols, n_classes, majority_share}) and
`<name>/data.parquet`.

    python benchmarks/all_tables.py FOLDER [--cap 900] [--set train.epochs=5] [--only NAME ...]

Exit status 1 when a table failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from commands import ASSAY


def train(folder: Path, table: dict, cap_s: float, changes: list[str]) -> dict:
    """Return the scores of one table, or how it failed."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            ASSAY, "train", str(folder / table["name"] / "data.parquet"),
            "--target", table["target"], "-o", f"{scratch}/m.assay", "--json", "--quiet",
        ]  # fmt: skip
        for change in changes:
            command += ["--set", change]
        started = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=cap_s)
        except subprocess.TimeoutExpired:
            return {"failure": f"more than {cap_s:.0f} s"}
        seconds = time.perf_counter() - started
    if done.returncode:
        return {"failure": done.stderr.strip().splitlines()[-1][:200]}
    scores = json.loads(done.stdout)["evaluation"]["validation"]["scores"]
    return {"seconds": seconds, "scores": scores}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cap", type=float, default=900.0, help="seconds for one table")
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    tables = json.loads((options.folder / "index.json").read_text())
    tables.sort(key=lambda table: table["n_rows"] * table["n_cols"])
    results, failed = {}, 0
    print(
        f"{'table':26} {'rows':>7} {'cols':>4} {'cls':>3} {'majority':>8} "
        f"{'accuracy':>24} {'log loss':>9} {'auroc':>6} {'seconds':>8}"
    )
    for table in tables:
        if options.only and table["name"] not in options.only:
            continue
        result = train(options.folder, table, options.cap, options.changes)
        results[table["name"]] = result
        head = f"{table['name']:26} {table['n_rows']:7} {table['n_cols']:4} {table['n_classes']:3} "
        if "failure" in result:
            failed += 1
            print(head + f"FAILED: {result['failure']}", flush=True)
            continue
        accuracy = result["scores"]["accuracy"]
        interval = f"{accuracy['estimate']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}]"
        print(
            head + f"{table['majority_share']:8.3f} {interval:>24} "
            f"{result['scores']['log_loss']['estimate']:9.4f} "
            f"{result['scores']['auroc']['estimate']:6.3f} {result['seconds']:8.1f}",
            flush=True,
        )
    total = sum(result.get("seconds", 0.0) for result in results.values())
    print(f"{len(results)} tables, {failed} failed, {total:.0f} s in all")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
