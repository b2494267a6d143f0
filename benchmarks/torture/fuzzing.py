"""Coverage-guided fuzzing of one function of bytes, by atheris (libFuzzer), under limits.

A child process feeds the function, another starts where it crashed, until the time is up.
"""

import argparse
import importlib
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from claims import Claims

TIMEOUT_S = 5
"""An input that takes longer hangs."""

MEMORY_MB = 2048
"""More resident memory than this is a fault."""

_ADDRESSES_MB = 32_768  # Arrow and Polars reserve far more addresses than they use.
_MAX_FAULTS = 20


@dataclass
class Found:
    """What fuzzing came upon.

    Attributes:
        n_inputs: Inputs that were run.
        peak_mb: Largest resident memory of a child.
        faults: Inputs that crashed, hung or took too much memory, with the last lines told.
        corpus: Folder of the inputs that led to new code.
    """

    corpus: Path
    n_inputs: int = 0
    peak_mb: int = 0
    faults: list[tuple[Path, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Suite:
    """What a script fuzzes.

    Attributes:
        script: The script itself; a child of it is called with "--child".
        told: Its docstring.
        target: Module with `feed(data)`, `seeds()` and `CORPUS`, a folder that is kept.
        packages: Names of packages whose branches guide the fuzzer.
        most_corpus_bytes: Largest corpus that is kept.
        most_input_bytes: Longest input.
    """

    script: Path
    told: str
    target: str
    packages: tuple[str, ...]
    most_corpus_bytes: int
    most_input_bytes: int


def run(suite: Suite) -> int:
    """Be the script: fuzz, and tell what was found; return the exit status."""
    if sys.argv[1:2] == ["--child"]:

        def load() -> Callable[[bytes], None]:
            feed: Callable[[bytes], None] = importlib.import_module(suite.target).feed
            return feed

        run_child(load, suite.packages, max_len=suite.most_input_bytes)
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--keep", action="store_true")
    own, others = parser.parse_known_args()
    claims = Claims(suite.script.stem, suite.told.partition("\n")[0], others)
    if not is_there():
        print("atheris is not installed: pip install -c constraints.txt -e '.[fuzz]'")
        return 1
    target = importlib.import_module(suite.target)
    work = Path(tempfile.mkdtemp(prefix=f"{suite.script.stem}_"))
    starts = [write_all(target.seeds(), work / "seeds")]
    if target.CORPUS.is_dir():
        starts.append(target.CORPUS)
    minutes = own.minutes * claims.share
    found = fuzz(suite.script, starts, work, minutes=minutes, seed=claims.seed)
    for file, reason in found.faults:
        print(f"  {file}: {reason}")
    claims.tell(
        f"no crash, nothing above {TIMEOUT_S} s or {MEMORY_MB} MB",
        kept=found.n_inputs - len(found.faults),
        of=found.n_inputs,
        minutes=round(minutes, 2),
        peak_MB=found.peak_mb,
    )
    if own.keep:
        folders = [found.corpus, *starts]
        keep(suite.script, folders, target.CORPUS, max_bytes=suite.most_corpus_bytes)
    if not found.faults:
        shutil.rmtree(work)
    return claims.end()


def fuzz(script: Path, seeds: Sequence[Path], work: Path, *, minutes: float, seed: int) -> Found:
    """Fuzz for some minutes.

    Args:
        script: A script that, given "--child" and arguments, calls `run_child`.
        seeds: Folders of inputs to begin with.
        work: Folder for what is found.
        minutes: How long.
        seed: Of the fuzzer's chance.
    """
    found = Found(work / "corpus")
    found.corpus.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + minutes * 60
    while (left_s := int(end - time.monotonic())) > 0 and len(found.faults) < _MAX_FAULTS:
        faults = Path(tempfile.mkdtemp(dir=work))
        options = (f"-max_total_time={left_s}", f"-seed={seed + len(found.faults) + 1}")
        told = _child(script, [*options, f"-artifact_prefix={faults}/"], [found.corpus, *seeds])
        n_inputs, peak_mb = _figures(told)
        found.n_inputs += n_inputs
        found.peak_mb = max(found.peak_mb, peak_mb)
        files = sorted(faults.iterdir())
        found.faults += [(file, _reason(told)) for file in files]
        if not files and left_s > int(end - time.monotonic()) + 5 and n_inputs == 0:
            raise SystemExit(f"the fuzzer did not start:\n{told[-2000:]}")
    return found


def keep(script: Path, folders: Sequence[Path], kept: Path, *, max_bytes: int) -> None:
    """Replace `kept` by few small inputs of `folders` that reach all the same code."""
    with tempfile.TemporaryDirectory() as folder:
        merged = Path(folder) / "merged"
        merged.mkdir()
        _child(script, ["-merge=1"], [merged, *folders])
        files = sorted(merged.iterdir(), key=lambda file: (file.stat().st_size, file.name))
        if not files:
            raise SystemExit("the fuzzer did not merge its inputs")
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for file in files:
            max_bytes -= file.stat().st_size
            if max_bytes < 0:
                break
            shutil.copyfile(file, kept / file.name[:16])


def run_child(
    load: Callable[[], Callable[[bytes], None]], packages: Iterable[str], *, max_len: int
) -> None:
    """Be the child: load the function with its packages instrumented, and fuzz it.

    Args:
        load: Imports the function and returns it.
        packages: Names of packages whose branches guide the fuzzer.
        max_len: Longest input, in bytes.
    """
    import atheris

    cap = _ADDRESSES_MB * 1024**2
    resource.setrlimit(resource.RLIMIT_AS, (cap, cap))
    with atheris.instrument_imports(include=list(packages)):
        function = load()
    limits = (f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={max_len}")
    # Merging starts children of its own, by a shell, from the first word.
    again = f"{sys.executable} {sys.argv[0]} --child"
    atheris.Setup([again, *sys.argv[2:], *limits, "-print_final_stats=1"], function)
    atheris.Fuzz()


def is_there() -> bool:
    """Tell whether atheris is installed."""
    import importlib.util

    return importlib.util.find_spec("atheris") is not None


def write_all(inputs: Iterable[bytes], folder: Path) -> Path:
    """Write inputs as files of a folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (folder / f"{number:04d}").write_bytes(data)
    return folder


def _child(script: Path, options: Sequence[str], folders: Sequence[Path]) -> str:
    command = [sys.executable, str(script), "--child", *options, *map(str, folders)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode("utf-8", errors="replace")


def _figures(told: str) -> tuple[int, int]:
    n_inputs = re.findall(r"stat::number_of_executed_units:\s*(\d+)", told)
    n_inputs = n_inputs or re.findall(r"^#(\d+)\s", told, flags=re.MULTILINE)
    peak_mb = re.findall(r"stat::peak_rss_mb:\s*(\d+)", told) or re.findall(r"rss: (\d+)Mb", told)
    return int(n_inputs[-1]) if n_inputs else 0, max(map(int, peak_mb), default=0)


def _reason(told: str) -> str:
    lines = [line for line in told.splitlines() if line.strip() and not line.startswith("#")]
    errors = [line for line in lines if re.match(r"\s*[\w.]*(?:Error|Exception|ERROR)\b", line)]
    return (errors or lines or ["?"])[0].strip()[:200]
