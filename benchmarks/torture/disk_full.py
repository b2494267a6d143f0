"""Fill the disk at many offsets of every file that assay writes.

    python benchmarks/torture/disk_full.py [--share 0.05] [--seed 0] [--out FILE]

A limit of the file size (as of `ulimit -f`), and where one may mount it a small file system
in memory, which is full indeed. Each time: the older file as it was, nothing beside it, one
line, exit status 2. Only a training leaves the folder of its run, tells of it, and goes on
from it to the bytes of an uninterrupted one once there is room.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from claims import Claims
from kill_saving import forked, is_done

import assay.model  # noqa: F401 - loaded once, for all processes forked below
from assay.cli import main as assay_command
from attacks.faults import OLD

N_OFFSETS = 50
MAKE = """
import sys
from attacks.small_model import small_model, two_columns
small_model(0, width=64).save(f"{sys.argv[1]}/m.assay")
two_columns(2000, 7).write_csv(f"{sys.argv[1]}/t.csv")
"""


def commands(folder: Path) -> dict[str, list[str]]:
    """Return for each file that a command writes its arguments, without the file."""
    model, table = str(folder / "m.assay"), str(folder / "t.csv")
    quick = ["--target", "y", "--no-report", "--quiet"]
    for option in ("train.epochs=1", "model.hidden=[64]", "model.candidates=[]", "split.folds=2"):
        quick += ["--set", option]
    return {
        "model.assay": ["train", table, *quick, "-o"],
        "predictions.csv": ["predict", model, table, "-o"],
        "predictions.parquet": ["predict", model, table, "-o"],
        "predictions.jsonl": ["predict", model, table, "-o"],
        "report.html": ["report", model, "-o"],
        "report.json": ["report", model, "-o"],
        "card.md": ["report", model, "-o"],
    }


def limit_file_size(n_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def run_full(
    arguments: list[str], path: Path, set_limit: Callable[[], None], make_room: Callable[[], None]
) -> bool:
    """Run a command on a disk that is full; return whether it kept all promises."""
    heard, said = os.pipe()  # no file: the limit would hold for it too

    def work() -> None:
        os.dup2(said, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # Those of the parent may believe that they are files, in which one may seek.
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        set_limit()
        os._exit(assay_command([*arguments, str(path)]))

    whole = path.read_bytes()
    path.write_bytes(OLD)
    before = sorted(os.listdir(path.parent))
    child = forked(work)
    os.close(said)
    with os.fdopen(heard) as file:
        told = [line for line in file.read().splitlines() if "not used" not in line]
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    make_room()
    run = path.with_name(f"{path.name}.run")
    left = sorted(name for name in os.listdir(path.parent) if name != run.name)
    kept = status == 2 and len(told) == 1 and "cannot write" in told[0]
    kept = kept and path.read_bytes() == OLD and left == before
    if run.exists():
        kept = kept and f"assay resume {run}" in told[0]
        kept = kept and is_done(forked(lambda: os._exit(assay_command(["resume", str(run)]))))
        kept = kept and path.read_bytes() == whole and not run.exists()
        shutil.rmtree(run, ignore_errors=True)
    if not kept:
        print("   ", arguments[0], path.name, status, told, os.listdir(path.parent))
    path.write_bytes(whole)
    return kept


def full_size(arguments: list[str], path: Path) -> int:
    """Return how large the file is where there is room."""
    assert is_done(forked(lambda: os._exit(assay_command([*arguments, str(path)]))))
    return path.stat().st_size


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a file system of 1 MB, where one may."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        is_mounted = False
    try:
        yield folder if is_mounted else None
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


def fill_limited(claims: Claims, folder: Path) -> None:
    rng = np.random.default_rng([claims.seed, 502])
    for name, arguments in commands(folder).items():
        out = folder / "limited" / name
        out.parent.mkdir(exist_ok=True)
        size = full_size(arguments, out)
        # A command of few bytes has fewer offsets.
        offsets = sorted({0, 1, size - 1, *rng.integers(0, size, size=claims.part(N_OFFSETS))})
        kept = 0
        for offset in offsets:
            limit = int(offset)
            kept += run_full(
                arguments, out, lambda limit=limit: limit_file_size(limit), lambda: None
            )
        out.unlink()
        claims.tell(f"{name} under a limit of file size", kept=kept, of=len(offsets), bytes=size)


def fill_small_disk(claims: Claims, folder: Path) -> None:
    rng = np.random.default_rng([claims.seed, 503])
    with small_disk(folder / "disk") as disk:
        if disk is None:
            print("no small file system may be mounted here: left out")
            return
        for name, arguments in commands(folder).items():
            path = disk / name
            size = full_size(arguments, path)
            kept, n_tries = 0, min(claims.part(N_OFFSETS), max(size // 4096, 1))
            for offset in rng.integers(0, size, size=n_tries):
                room = int(offset)
                kept += run_full(
                    arguments,
                    path,
                    lambda room=room: leave_room(disk, room),
                    partial((disk / "filler").unlink, missing_ok=True),
                )
            path.unlink()
            claims.tell(f"{name} on a full disk", kept=kept, of=n_tries, bytes=size)


def leave_room(disk: Path, n_bytes: int) -> None:
    free = os.statvfs(disk)
    n_pages = free.f_bavail - n_bytes // free.f_bsize
    with (disk / "filler").open("wb") as file:
        file.write(bytes(free.f_bsize * n_pages))


def fill_outputs(claims: Claims, folder: Path) -> None:
    """Let the standard outputs be full: the work is done, or refused in one line."""
    model, table = str(folder / "m.assay"), str(folder / "t.csv")
    kept = 0
    tries = [["predict", model, table], ["show", model], ["--help"], ["explain", model]]
    for arguments in tries:
        command = [sys.executable, "-m", "assay.cli.entry", *arguments]
        command[1:3] = ["-c", "import sys; from assay.cli import main; sys.exit(main())"]
        with open("/dev/full", "wb") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
            lines = [line for line in done.stderr.splitlines() if b"not used" not in line]
            quiet = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, check=False)
        kept += done.returncode == 2 and len(lines) == 1 and quiet.returncode == 0
    claims.tell("standard output is full, then standard error", kept=kept, of=len(tries))


def main() -> int:
    claims = Claims("disk_full", "Fill the disk at many offsets of every file.")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", MAKE, name], check=True)
        fill_outputs(claims, folder)
        fill_limited(claims, folder)
        fill_small_disk(claims, folder)
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
