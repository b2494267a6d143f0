"""Kill a process that saves a model over an older one, at random moments.

    python benchmarks/torture/kill_saving.py [--share 0.05] [--seed 0] [--out FILE]

Afterwards the file is the older model or the newer one, whole: its bytes are one of the
two, it loads with all of its checks, and the next save leaves nothing beside it. Where
strace is there, a trace of the system's calls shows the order that survives a power cut.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from claims import Claims

import assay.model  # noqa: F401 - loaded once, for all processes forked below
from assay.estimator import load

N_KILLS = 500
MAKE = """
import sys
from attacks.small_model import small_model
for name, seed in (("a", 0), ("b", 1)):
    small_model(seed, width=256).save(f"{sys.argv[1]}/{name}.assay")
"""
SAVE = "import assay, sys; assay.load(sys.argv[1]).save(sys.argv[2])"
ORDER = ["openat", "write", "fsync", "close", "openat", "rename", "fsync"]


def forked(work: Callable[[], object]) -> int:
    """Do some work in a process of its own, which has all modules; return its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def is_done(child: int) -> bool:
    return os.waitpid(child, 0)[1] == 0


def save_for_ever(models: list[Path], path: Path, started: Path) -> None:
    loaded = [load(one) for one in models]
    started.write_bytes(b"")
    while True:
        for model in loaded:
            model.save(path)


def kill_once(folder: Path, path: Path, delay_s: float) -> bool:
    """Return whether the process was killed in the middle of a file."""
    started = folder / "started"
    started.unlink(missing_ok=True)
    models = [folder / "b.assay", folder / "a.assay"]
    child = forked(lambda: save_for_ever(models, path, started))
    while not started.exists():
        time.sleep(0.001)
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return any(name.endswith(".part") for name in os.listdir(path.parent))


def save_time_s(folder: Path, path: Path) -> float:
    def timed() -> None:
        model = load(folder / "a.assay")
        start_s = time.monotonic()
        for _ in range(5):
            model.save(path)
        (folder / "time").write_text(str((time.monotonic() - start_s) / 5))

    assert is_done(forked(timed))
    return float((folder / "time").read_text())


def kill_saving(claims: Claims, folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    path = out / "model.assay"
    whole = {(folder / f"{name}.assay").read_bytes() for name in "ab"}
    span_s = 3 * save_time_s(folder, path)
    rng = np.random.default_rng([claims.seed, 501])
    n, n_whole, n_loaded, n_midway, n_swept = claims.part(N_KILLS), 0, 0, 0, 0
    for delay_s in rng.uniform(0, span_s, size=n):
        n_midway += kill_once(folder, path, float(delay_s))
        n_whole += path.read_bytes() in whole
        n_loaded += is_done(forked(lambda: load(path)))
        if len(os.listdir(out)) > 1:
            assert is_done(forked(lambda: load(path).save(path)))
            n_swept += os.listdir(out) == [path.name]
    claims.tell("a kill while saving leaves the old or the new bytes", kept=n_whole, of=n)
    claims.tell("the file then loads with all checks", kept=n_loaded, of=n)
    claims.tell("the next save removes what a kill left", kept=n_swept, of=n_midway)


def calls_of_a_save(folder: Path) -> list[str]:
    """Return the names of the calls about the model's folder, those alike in a row once."""
    out = folder / "traced"
    out.mkdir()
    trace = folder / "trace"
    program = [sys.executable, "-c", SAVE, str(folder / "a.assay"), str(out / "m.assay")]
    wanted = "openat,write,pwrite64,fsync,fdatasync,close,rename,renameat,renameat2"
    command = ["strace", "-f", "-y", "-e", f"trace={wanted}", "-o", str(trace), *program]
    subprocess.run(command, check=True)
    calls: list[str] = []
    for line in trace.read_text(errors="replace").splitlines():
        found = re.match(r"\d+ +(\w+)\((.*)", line)
        if found is None or str(out) not in found[2] or not (calls or ".part" in found[2]):
            continue  # about another file, or before the new one is opened
        if not calls or calls[-1] != found[1]:
            calls.append(found[1])
    return calls


def main() -> int:
    claims = Claims("kill_saving", "Kill a process that saves a model, at random moments.")
    paths = os.pathsep.join(sys.path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "PYTHONPATH": paths}
        subprocess.run([sys.executable, "-c", MAKE, name], check=True, env=environment)
        kill_saving(claims, folder)
        if shutil.which("strace"):
            calls = calls_of_a_save(folder)
            is_kept = calls[: len(ORDER)] == ORDER
            claims.tell(
                f"the system is called in the order {', '.join(ORDER)}",
                kept=int(is_kept),
                of=1,
                seen=" ".join(calls),
            )
        else:
            print("no strace here: the order of calls is not traced")
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
