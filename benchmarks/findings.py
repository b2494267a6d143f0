"""What the findings say about every table of a folder, and how long they take.

The folder holds an `index.json` (a list of {name, target}) and `<name>/data.parquet`.
Times are of one process without reading the file: set OMP_NUM_THREADS=1 and
POLARS_MAX_THREADS=1 for one thread.

    python benchmarks/findings.py FOLDER [--only NAME ...] [--all] [--json FILE]

Exit status 1 when more than one table raises a leak alarm: on these tables every alarm
is false, as far as is known.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from assay.encode import TargetEncoder, take_labelled
from assay.ledger import Ledger
from assay.predict import Preparation
from assay.profile import Finding, examine
from assay.read import read_table
from assay.recipe import Recipe


def look(path: Path, target: str) -> tuple[tuple[Finding, ...], float, int, int]:
    """Return the findings, seconds of the processor, rows and columns looked at."""
    recipe = Recipe.from_dict({"target": target, "read": {"infinite": "missing"}})
    ledger, missing = Ledger(), recipe.read.missing
    table = read_table(path, recipe.read, ledger)
    encoder = TargetEncoder.fit(table.column(target), missing=missing, where=table.source)
    features, y = take_labelled(table, encoder, ledger, missing=missing)
    preparation = Preparation.fit(features, recipe, ledger)
    frame = preparation.apply(features, recipe, is_training=True).frame
    started = time.process_time()
    found = examine(frame, preparation.schema, y, encoder.classes, n_folds=recipe.split.folds)
    seconds = time.process_time() - started
    return found, seconds, len(y), len(preparation.schema.features)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--all", action="store_true", help="print the low findings too")
    parser.add_argument("--json", type=Path, help="write the findings here too")
    options = parser.parse_args()
    results, alarmed, kinds = {}, [], Counter()
    print(f"{'table':26} {'rows':>7} {'cols':>4} {'seconds':>7}  high medium low")
    for table in json.loads((options.folder / "index.json").read_text()):
        name = table["name"]
        if options.only and name not in options.only:
            continue
        path = options.folder / name / "data.parquet"
        found, seconds, n_rows, n_columns = look(path, table["target"])
        results[name] = {"seconds": seconds, "findings": [one.to_dict() for one in found]}
        grave = Counter(one.severity for one in found)
        kinds.update((one.kind, one.severity) for one in found)
        print(
            f"{name:26} {n_rows:7} {n_columns:4} {seconds:7.2f}  "
            f"{grave['high']:4} {grave['medium']:6} {grave['low']:3}",
            flush=True,
        )
        for one in found:
            if one.severity != "low" or options.all:
                print(f"    {one.severity}: {one.kind}: {one.where}: {one.what} ({one.evidence})")
        if any(one.kind == "leak" for one in found):
            alarmed.append(name)
    total = sum(result["seconds"] for result in results.values())
    print(f"\n{len(results)} tables, {total:.1f} s; leak alarms: {', '.join(alarmed) or 'none'}")
    for (kind, severity), n in sorted(kinds.items()):
        print(f"  {kind:20} {severity:7} {n:4}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 1 if len(alarmed) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
