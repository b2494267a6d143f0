"""Small files that stand for large tables, very wide tables, and damaged databases.

    python benchmarks/torture/bombs.py [--share 0.05] [--seed 0] [--out FILE]

Each file is read in a process of its own, whose processor time and memory are measured:
refused in X
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from claims import Claims

from attacks import bombs, databases

CAP_BYTES = 200_000_000
N_DAMAGED = 400
N_WIDE = 100_000
TOO_WIDE = 1_000_000
LIMIT_S = 5.0
MOST_BYTES = 1.1 * CAP_BYTES
HANG_S = 600
# Of this process alone: what `getrusage` tells includes its parent's peak before the start.
PEAK = """
def peak_bytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
"""
READ = (
    PEAK
    + """
import json, sys, time
import pyarrow.parquet  # a library takes its memory whatever it reads
from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import ReadRecipe
from assay.read import read_table
before = peak_bytes()
began_s = time.process_time()
try:
    said = read_table(sys.argv[1], ReadRecipe(**json.loads(sys.argv[2])), Ledger()).frame.shape
    end = "read"
except UserError as error:
    said, end = str(error), "refused"
except Exception as error:
    said, end = repr(error), "crashed"
seconds = time.process_time() - began_s
print(json.dumps([end, str(said), seconds, peak_bytes() - before]))
"""
)


def read_alone(path: str | Path, **options: object) -> tuple[str, str, float, int]:
    """Return how a reading ended, what it said, and its seconds of processor and bytes."""
    command = [sys.executable, "-c", READ, str(path), json.dumps(options)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
    except subprocess.TimeoutExpired:
        return "hung", "", float(HANG_S), 0
    if done.returncode:
        return "died", done.stderr[-200:], 0.0, 0
    end, said, seconds, n_bytes = json.loads(done.stdout.splitlines()[-1])
    return end, said, seconds, n_bytes


def test_bombs(claims: Claims, folder: Path) -> None:
    names = list(bombs.BOMBS)[:: max(round(1 / claims.share / 4), 1)]
    n_refused = n_soon = n_small = 0
    slowest_s = largest_bytes = 0.0
    for name in names:
        path = folder / bombs.file_name(name)
        path.write_bytes(bombs.BOMBS[name](4 * CAP_BYTES))
        end, said, seconds, n_bytes = read_alone(path, max_bytes=str(CAP_BYTES))
        is_told = end == "refused" and "read.max_bytes" in said and "\n" not in said
        n_refused, n_soon = n_refused + is_told, n_soon + (seconds < LIMIT_S)
        n_small += n_bytes < MOST_BYTES
        slowest_s, largest_bytes = max(slowest_s, seconds), max(largest_bytes, n_bytes)
        if not (is_told and seconds < LIMIT_S and n_bytes < MOST_BYTES):
            print(f"  {name}: {end} in {seconds:.1f} s, {n_bytes / 1e6:.0f} MB: {said[:200]}")
        path.unlink()
    n = len(names)
    claims.tell("a bomb of four times the cap is refused in one line", kept=n_refused, of=n)
    claims.tell("within 5 s", kept=n_soon, of=n, slowest_s=round(slowest_s, 2))
    figure = round(largest_bytes / 1e6)
    claims.tell("within 1.1 times the cap of 200 MB", kept=n_small, of=n, largest_mb=figure)


def test_allowed(claims: Claims, folder: Path) -> None:
    """Read what is just allowed: it must take about what it is priced at."""
    n_small = 0
    largest_bytes = 0.0
    for name, make in bombs.HONEST.items():
        path = folder / bombs.file_name(name)
        path.write_bytes(make(int(0.8 * CAP_BYTES)))
        end, said, seconds, n_bytes = read_alone(path, max_bytes=str(CAP_BYTES))
        is_kept = end in ("read", "refused") and "\n" not in said and n_bytes < 2 * CAP_BYTES
        n_small, largest_bytes = n_small + is_kept, max(largest_bytes, n_bytes)
        print(f"  {name}: {end} in {seconds:.1f} s, {n_bytes / 1e6:.0f} MB: {said[:100]}")
        path.unlink()
    figure = round(largest_bytes / 1e6)
    n = len(bombs.HONEST)
    claims.tell("what is just allowed takes 2 caps at most", kept=n_small, of=n, largest_mb=figure)


def parquet_of(n_columns: int) -> bytes:
    """Return a Parquet file of a hundred rows, of numbers and the class `y`."""
    import numpy as np
    import polars as pl

    cells = np.random.default_rng([0, 61]).normal(size=(100, n_columns - 1)).astype(np.float32)
    frame = pl.DataFrame(cells, schema=[f"c{at}" for at in range(n_columns - 1)])
    sink = io.BytesIO()
    frame.with_columns(y=pl.Series(["yes", "no"] * 50)).write_parquet(sink)
    return sink.getvalue()


def test_wide(claims: Claims, folder: Path) -> None:
    kinds: dict[str, Callable[[int], bytes]] = {
        "csv": bombs.wide_csv,
        "json": bombs.wide_json,
        "parquet": parquet_of,
    }
    n_read = n_refused = 0
    figures: dict[str, float] = {}
    for kind, make in kinds.items():
        path = folder / f"wide.{kind}"
        path.write_bytes(make(claims.part(N_WIDE)))
        end, said, seconds, n_bytes = read_alone(path)
        n_read += end == "read"
        figures |= {f"{kind}_s": round(seconds, 1), f"{kind}_mb": round(n_bytes / 1e6)}
        print(f"  {kind}: {end} in {seconds:.1f} s, {n_bytes / 1e6:.0f} MB: {said[:100]}")
    claims.tell("100,000 columns are read", kept=n_read, of=len(kinds), **figures)
    figures = {}
    kinds["parquet"] = bombs.wide_parquet
    kinds = {kind: make for kind, make in kinds.items() if kind != "parquet" or claims.share == 1}
    for kind, make in kinds.items():
        path = folder / f"wider.{kind}"
        path.write_bytes(make(TOO_WIDE))
        end, said, seconds, _ = read_alone(path)
        n_refused += end == "refused" and "read.max_columns" in said and seconds < LIMIT_S
        figures[f"{kind}_s"] = round(seconds, 2)
    claims.tell(
        "1,000,000 columns are refused within 5 s", kept=n_refused, of=len(kinds), **figures
    )


def test_commands_on_wide(claims: Claims, folder: Path) -> None:
    """Inspect a table of 100,000 columns and train a little on it."""
    path = folder / "work.parquet"
    path.write_bytes(parquet_of(claims.part(N_WIDE)))
    quick = ["train.epochs=2", "model.hidden=[8]", "split.folds=2", "split.repeats=1"]
    settings = [word for option in quick for word in ("--set", option)]
    commands = {
        "inspect": ["inspect", str(path), "--target", "y"],
        "train": ["train", str(path), "--target", "y", "-o", str(folder / "m.assay"), *settings],
    }
    code = PEAK + (
        "import sys, time\nfrom assay.cli import main\nbegan_s = time.monotonic()\n"
        "status = main(sys.argv[1:])\n"
        "print(time.monotonic() - began_s, peak_bytes() / 1e9, file=sys.stderr)\n"
        "sys.exit(status)"
    )
    for name, words in commands.items():
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        last = done.stderr.splitlines()[-1].split() if done.returncode == 0 else ("0", "0")
        if done.returncode:
            print(done.stderr[-300:])
        claims.tell(
            f"assay {name} works on {claims.part(N_WIDE):,} columns",
            kept=int(done.returncode == 0),
            of=1,
            seconds=round(float(last[0]), 1),
            peak_gb=round(float(last[1]), 2),
        )


def test_databases(claims: Claims, folder: Path) -> None:
    endings = {"read": 0, "refused": 0}
    n, n_soon = 0, 0
    sources = {"sqlite": databases.sqlite_file(folder / "whole.db")}
    sources["duckdb"] = duckdb_file(folder / "whole.duckdb")
    for kind, source in sources.items():
        whole = source.read_bytes()
        damaged = databases.damaged(whole, n=claims.part(N_DAMAGED), seed=claims.seed)
        for number, data in enumerate(damaged):
            path = folder / f"damaged-{number}.{kind}"
            path.write_bytes(data)
            url = f"{kind}:///{path}"
            end, said, seconds, _ = read_alone(url, max_time="5s", max_bytes="200M")
            n, n_soon = n + 1, n_soon + (seconds < 2 * LIMIT_S)
            if end in endings and "\n" not in said:
                endings[end] += 1
            else:
                print(f"  {kind} {number}: {end}: {said[-200:]}")
            path.unlink()
    claims.tell(
        "a damaged database is read or refused in one line",
        kept=sum(endings.values()),
        of=n,
        refused=endings["refused"],
    )
    claims.tell("within 10 s", kept=n_soon, of=n)


def duckdb_file(path: Path) -> Path:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE people AS SELECT range AS age, 'name ' || range AS name FROM range(300)"
        )
    return path


def test_views(claims: Claims, folder: Path) -> None:
    n_stopped = 0
    slowest_s = 0.0
    for number, view in enumerate(databases.VIEWS.values()):
        path = databases.sqlite_file(folder / f"view-{number}.db", view=view)
        end, _, seconds, n_bytes = read_alone(path, max_time="2s", max_bytes=str(CAP_BYTES))
        is_small = n_bytes < 4 * CAP_BYTES  # Python's objects take more than their letters
        n_stopped += end == "refused" and seconds < LIMIT_S and is_small
        slowest_s = max(slowest_s, seconds)
    claims.tell(
        "a view without measure is stopped within 5 s, of which 2 s are allowed",
        kept=n_stopped,
        of=len(databases.VIEWS),
        slowest_s=round(slowest_s, 2),
    )


def main() -> int:
    claims = Claims("bombs", __doc__.splitlines()[0])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for test in (
            test_bombs,
            test_allowed,
            test_wide,
            test_views,
            test_databases,
            test_commands_on_wide,
        ):
            test(claims, folder)
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
