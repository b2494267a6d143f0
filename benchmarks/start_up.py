"""How long whole processes take: help, import, one prediction.

    python benchmarks/start_up.py [--runs 7]

The promises: `assay --help` under 0.3 s, `import assay` under 0.3 s, one record
predicted under 1 s. Exit status 1 when a median breaks its promise.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from commands import ASSAY

RECORD = (
    '{"Pclass": 3, "Name": "Kelly, Mr. James", "Sex": "male", "Age": 34.5, "SibSp": 0, '
    '"Parch": 0, "Fare": 7.83, "Embarked": "Q"}'
)


def seconds(command: list[str], runs: int) -> list[float]:
    measured = []
    for _ in range(runs + 1):  # the first run warms the disk's cache
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        measured.append(time.perf_counter() - started)
    return measured[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [ASSAY, "demo", "titanic", "--folder", scratch, "--quiet"],
            check=True,
            capture_output=True,
        )
        model = str(next(Path(scratch).glob("*.assay")))
        commands = {
            "assay --help": ([ASSAY, "--help"], 0.3),
            "import assay": ([sys.executable, "-c", "import assay"], 0.3),
            "assay predict, one record": ([ASSAY, "predict", model, "--record", RECORD], 1.0),
        }
        is_kept = True
        for name, (command, promise) in commands.items():
            measured = seconds(command, runs)
            median = statistics.median(measured)
            is_kept &= median < promise
            print(
                f"{name:28} median {median:.3f} s "
                f"[{min(measured):.3f}, {max(measured):.3f}], promised {promise} s"
            )
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
