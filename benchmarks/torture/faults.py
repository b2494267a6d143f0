"""Let every call of the system fail in turn, in everything that assay writes and reads.

    python benchmarks/torture/faults.py [--share 0.05] [--seed 0] [--out FILE]

First by a shim in Python: the Nth open, write, flush, fsync, rename, close, stat, ... for
N = 1, 2, ... until none fails, each by five errors. Then, where strace is there, by the
kernel itself. Each time: the older file as it was or the newer one whole, nothing beside
it, one line, exit status 2.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from claims import Claims

from assay.state_file import write_state
from attacks.faults import CALLS, ERRORS, OLD, fail_each, failing, run_command
from attacks.small_model import small_model, two_columns

PART = ".p.csv.1.00000000.part"  # what comes of the name that the program below makes
RUN = """
import os, sys
os.urandom, os.getpid = bytes, lambda: 1
from assay.cli import main
sys.exit(main())
"""
KERNEL_ERRORS = ("ENOSPC", "EIO", "EACCES", "EINTR")
Write = Callable[[], object]


def writers(source: Path, out: Path) -> dict[str, Write]:
    """Return for each file that is written what writes it to the folder `out`."""
    model, table = str(source / "m.assay"), str(source / "t.csv")
    loaded = small_model()
    state = {"weights": np.arange(1000.0)}, {"epoch": 3}
    predict = ["predict", model, table, "-q", "-o"]
    made: dict[str, Write] = {
        "model.assay": lambda: loaded.save(out / "model.assay"),
        "checkpoint.state": lambda: write_state(out / "checkpoint.state", *state),
    }
    for name in ("p.csv", "p.parquet", "p.jsonl"):
        made[name] = lambda name=name: run_command([*predict, str(out / name)])
    for name in ("r.html", "r.json", "r.md"):
        made[name] = lambda name=name: run_command(["report", model, "-q", "-o", str(out / name)])
    return made


def fail_writing(claims: Claims, source: Path, folder: Path) -> None:
    rng = np.random.default_rng([claims.seed, 504])
    for name, write in writers(source, folder).items():
        pairs = [(call, error) for call in CALLS for error in ERRORS if error != "MEMORY"]
        pairs += [("open", "MEMORY"), ("write", "MEMORY")]
        n_broken = n_calls = 0
        for at in rng.permutation(len(pairs))[: claims.part(len(pairs))]:
            call, error = pairs[at]
            try:
                n_calls += fail_each(folder / name, write, call, ERRORS[error])
            except AssertionError as broken:
                print("   ", broken)
                n_broken, n_calls = n_broken + 1, n_calls + 1
        for left in folder.iterdir():
            left.unlink()
        claims.tell(
            f"{name} is old or new, whichever call fails", kept=n_calls - n_broken, of=n_calls
        )


def fail_reading(claims: Claims, source: Path) -> None:
    for verb in (["predict", "-q"], ["evaluate"], ["show"], ["report", "-o", "-"], ["explain"]):
        tables = [str(source / "t.csv")] if verb[0] in ("predict", "evaluate") else []
        arguments = [verb[0], str(source / "m.assay"), *tables, *verb[1:]]
        kept = n_calls = 0
        for call in ("open", "os.open", "read", "close", "stat", "scandir"):
            for error in ("EIO", "EACCES", "EINTR"):
                for nth in range(1, 1000):
                    with failing(source, call, nth, ERRORS[error]) as fault:
                        try:
                            run_command(arguments, is_refused=None)
                            kept += fault.is_fired
                        except AssertionError as broken:
                            print(f"    {verb[0]} {call} {nth} {error}: {broken}")
                    if not fault.is_fired:
                        break
                    n_calls += 1
        claims.tell(f"{verb[0]} is refused in one line or done", kept=kept, of=n_calls)


def traced(source: Path, out: Path, *inject: str) -> tuple[int, str, str]:
    """Run `predict` under strace; return status, standard error and the trace."""
    trace = source / "trace"
    command = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=openat,write,fsync,rename"]
    for path in (out, out.parent, out.parent / PART):  # other calls are let through
        command += ["-P", str(path)]
    for one in inject:
        command += ["-e", f"inject={one}"]
    command += [sys.executable, "-c", RUN, "predict", str(source / "m.assay")]
    done = subprocess.run(
        [*command, str(source / "t.csv"), "-q", "-o", str(out)], capture_output=True, check=False
    )
    return done.returncode, done.stderr.decode(), trace.read_text(errors="replace")


def fail_by_the_kernel(claims: Claims, source: Path, folder: Path) -> None:
    out = folder / "p.csv"
    _, _, trace = traced(source, out)
    whole = out.read_bytes()
    calls = re.findall(r"^\d+ +(\w+)\(", trace, flags=re.MULTILINE)
    places = [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)]
    kept = 0
    tries = [(call, nth, error) for call, nth in places for error in KERNEL_ERRORS]
    for call, nth, error in tries:
        out.write_bytes(OLD)
        status, told, _ = traced(source, out, f"{call}:error={error}:when={nth}")
        found = out.read_bytes()
        is_old = status == 2 and found == OLD and "cannot write" in told
        is_new = found == whole and (status == 0 or (status == 2 and "is written, but" in told))
        is_kept = (is_old or is_new) and told.count("\n") == (status == 2)
        if not (is_kept and os.listdir(folder) == [out.name]):
            print(f"    {call} {nth} {error}: {status} {told} {os.listdir(folder)}")
        kept += is_kept and os.listdir(folder) == [out.name]
    claims.tell("the kernel refuses a call", kept=kept, of=len(tries), calls=len(places))


def main() -> int:
    claims = Claims("faults", "Let every call of the system fail in turn.")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    with tempfile.TemporaryDirectory() as name:
        source, folder = Path(name) / "source", Path(name) / "out"
        source.mkdir()
        folder.mkdir()
        small_model().save(source / "m.assay")
        two_columns(20, 7).write_csv(source / "t.csv")
        fail_writing(claims, source, folder)
        fail_reading(claims, source)
        if shutil.which("strace"):
            fail_by_the_kernel(claims, source, folder)
        else:
            print("no strace here: the kernel refuses nothing")
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
