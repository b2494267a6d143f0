"""How much verdict and report add to the time of a training.

    python benchmarks/judging_share.py [TABLE ...]

The promise: at most 30 % on tables above 2,000 rows. Training is the fits of all
candidates and the networks; the verdict is all that comes after, with what explains the
model; the report is its three files. Processor time counts, since it does not depend on
what else runs. Exit status 1 when the median of the tables breaks the promise.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import assay
from assay.training.history import Silent

PROMISE = 0.30
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TABLES = ("telco_churn", "higgs_7500", "page_blocks", "nursery", "letter_recognition",
          "bank_marketing_full")  # fmt: skip


class Stages(Silent):
    """Notes when the stages of a training begin, in seconds of the processor."""

    def __init__(self) -> None:
        self.began_s: dict[str, float] = {}

    def on_stage(self, name: str) -> None:
        self.began_s.setdefault(name, time.process_time())


def measure(name: str) -> tuple[float, float, float]:
    """Return the seconds of training, verdict and report."""
    target = json.loads((DATA / name / "meta.json").read_text())["target"]
    stages = Stages()
    model = assay.train(DATA / name / "data.parquet", target, observer=stages)
    trained_s = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        model.report(*(Path(folder) / f"model.{form}" for form in ("html", "json", "md")))
    began_s = stages.began_s
    first_s = began_s.get("fitting simpler models", began_s["training"])
    return (
        began_s["evaluating"] - first_s,
        trained_s - began_s["evaluating"],
        time.process_time() - trained_s,
    )


def main(tables: Sequence[str]) -> int:
    measure("pima_diabetes")  # imports and warms what the first training would pay for
    shares = []
    for name in tables:
        training_s, verdict_s, report_s = measure(name)
        shares.append((verdict_s + report_s) / training_s)
        print(
            f"{name}: training {training_s:.1f} s, verdict {verdict_s:.1f} s, "
            f"report {report_s:.2f} s: {shares[-1]:.0%} more",
            flush=True,
        )
    median = statistics.median(shares)
    print(f"median {median:.0%}, worst {max(shares):.0%}, promised {PROMISE:.0%}")
    return 0 if median <= PROMISE else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=TABLES)
    sys.exit(main(parser.parse_args().tables))
