"""Kill trainings at random moments, go on with each, and compare the model files.

    python benchmarks/torture/kill_training.py [--share 0.05] [--seed 0] [--jobs 2] [--out FILE]
        [--signal KILL]

Each training has networks, boosting, logistic regression and their blend. It is killed at
a moment drawn evenly from the time that the uninterrupted training takes; some are killed
again while they go on. Then it goes on to the end, by `assay resume`, or by the first
command with `--resume` where it was killed before it had a folder. The model file, the
report and its twins have to be those of the uninterrupted training, byte for byte. With
`--signal INT`, as of Ctrl-C, or TERM, the training may end itself instead.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["POLARS_MAX_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import numpy as np
import onnxruntime  # noqa: F401 - loaded once, for all processes forked below
import sklearn.ensemble
import sklearn.linear_model  # noqa: F401
from claims import Claims

import assay.cli.app
import assay.pipeline
import assay.report.write  # noqa: F401
from assay.cli import main
from attacks.kills import TRAININGS, arguments, litter, make_table, stage_of

N_KILLS = 200
LONGEST_S = 600.0
_SEED = 6_102
_TWICE = 0.3  # of the trainings are killed again while they go on
_TWINS = ("html", "json", "md")


def start(args: list[str], log: Path) -> int:
    """Run a command in a process of its own, which has all modules; return its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        status = main(args)
    finally:
        os._exit(status)


def finish(child: int) -> int:
    """Wait for a process; return its exit status, or -1 where it hangs."""
    start_s = time.monotonic()
    while time.monotonic() - start_s < LONGEST_S:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def kill_after(child: int, delay_s: float, number: int) -> bool:
    """Send a process a signal after a while; return whether that ended its work."""
    start_s = time.monotonic()
    while time.monotonic() - start_s < delay_s:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0, "the training failed by itself"
            return False
        time.sleep(0.002)
    os.kill(child, number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (-number, 128 + number)


def uninterrupted(folder: Path) -> dict[str, float]:
    """Train everything once without a kill; return the seconds that each takes."""
    seconds = {}
    for name in TRAININGS:
        table, model = make_table(name, folder), folder / name / "model.assay"
        model.parent.mkdir()
        start_s = time.monotonic()
        assert finish(start(arguments(name, table, model), folder / "log")) == 0
        seconds[name] = time.monotonic() - start_s
        assert not litter(model), litter(model)
    return seconds


def next_command(name: str, table: Path, model: Path) -> list[str]:
    """Return what a person would type after a crash."""
    run = Path(f"{model}.run")
    if (run / "run.state").exists():
        return ["resume", str(run), "--quiet"]
    return [*arguments(name, table, model), "--resume"]


def attempt(
    idx: int, seed: int, folder: Path, seconds: dict[str, float], number: int
) -> dict[str, Any]:
    """Kill one training, go on with it to the end, and tell what became of it."""
    rng = np.random.default_rng([seed, _SEED, idx])
    name = list(TRAININGS)[idx % len(TRAININGS)]
    table, whole = folder / f"{name}.csv", folder / name / "model.assay"
    model = folder / f"kill-{idx}" / "model.assay"
    model.parent.mkdir()
    log, stages = model.with_name("log"), []
    for share in [1.0, 0.8] if rng.random() < _TWICE else [1.0]:
        while True:  # a training that was faster than the moment drawn is killed another time
            command = next_command(name, table, model)
            delay_s = rng.uniform(0, share * seconds[name])
            is_killed = kill_after(start(command, log), delay_s, number)
            if is_killed or stages:
                break
            for entry in model.parent.iterdir():
                entry.unlink()
        if is_killed:
            stages.append(stage_of(model))
    status = finish(start(next_command(name, table, model), log))
    is_same = model.exists() and model.read_bytes() == whole.read_bytes()
    twins = [model.with_suffix(f".{twin}") for twin in _TWINS]
    are_twins = all(
        twin.exists() and twin.read_bytes() == whole.with_suffix(twin.suffix).read_bytes()
        for twin in twins
    )
    found = {
        "training": name,
        "stages": stages,
        "status": status,
        "is_same": is_same,
        "are_twins_same": are_twins,
        "litter": litter(model),
    }
    if not (is_same and are_twins and not status and not found["litter"]):
        print(f"kill {idx}: {found}\n{log.read_text()[-2000:]}", file=sys.stderr, flush=True)
    return found


def kill_all(n: int, jobs: int, seed: int, number: int, folder: Path) -> list[dict[str, Any]]:
    """Kill `n` trainings, `jobs` at a time, each in processes of one thread."""
    seconds, workers = uninterrupted(folder), []
    for job in range(jobs):
        child = os.fork()
        if not child:
            status = 1
            try:
                with (folder / f"found-{job}").open("w") as file:
                    for idx in range(job, n, jobs):
                        found = attempt(idx, seed, folder, seconds, number)
                        file.write(json.dumps(found) + "\n")
                        file.flush()
                status = 0
            finally:
                os._exit(status)
        workers.append(child)
    assert all(os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) == 0 for one in workers)
    lines = [line for job in range(jobs) for line in (folder / f"found-{job}").open()]
    return [json.loads(line) for line in lines]


def main_suite() -> int:
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--jobs", type=int, default=2)
    own.add_argument("--signal", choices=("KILL", "INT", "TERM"), default="KILL")
    given, rest = own.parse_known_args()
    claims = Claims("kill_training", (__doc__ or "").splitlines()[0], rest)
    with tempfile.TemporaryDirectory() as place:
        number = signal.Signals[f"SIG{given.signal}"]
        found = kill_all(claims.part(N_KILLS), given.jobs, claims.seed, number, Path(place))
    stages = Counter(stage for one in found for stage in one["stages"])
    n, n_kills = len(found), sum(stages.values())
    claims.tell(
        "killed trainings that went on to the bytes of the uninterrupted model file",
        kept=sum(one["is_same"] and one["status"] == 0 for one in found),
        of=n,
        kills=n_kills,
        stages=dict(stages.most_common()),
    )
    twins = sum(one["are_twins_same"] for one in found)
    claims.tell("killed trainings that went on to the bytes of its reports", kept=twins, of=n)
    clean = sum(not one["litter"] for one in found)
    claims.tell("ended without a file of the run left behind", kept=clean, of=n)
    return claims.end()


if __name__ == "__main__":
    raise SystemExit(main_suite())
