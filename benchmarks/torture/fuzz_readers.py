"""Fuzz every reader of text: delimited, JSON, numbers, dates and recipes.

    pip install -c constraints.txt -e '.[fuzz]'
    python benchmarks/torture/fuzz_readers.py [--minutes 10] [--share 1] [--seed 0]
        [--keep] [--out FILE]

`--keep` replaces the corpus in tests/attacks/corpus/read by what reaches the most code.
An input that breaks a promise stays in the folder that is told; make a test of it.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import fuzzing
from claims import Claims

_PACKAGES = ("assay.read", "assay.recipe", "assay.toml_text", "assay.amounts", "assay.options")
_MAX_CORPUS_BYTES = 120_000
_MAX_INPUT_BYTES = 4096


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--keep", action="store_true")
    own, others = parser.parse_known_args()
    claims = Claims("fuzz_readers", str(__doc__).partition("\n")[0], others)
    if not fuzzing.is_there():
        print("atheris is not installed: pip install -c constraints.txt -e '.[fuzz]'")
        return 1
    from attacks.reader_inputs import CORPUS, seeds

    script = Path(__file__)
    work = Path(tempfile.mkdtemp(prefix="fuzz_readers_"))
    starts = [fuzzing.write_all(seeds(), work / "seeds")]
    if CORPUS.is_dir():
        starts.append(CORPUS)
    minutes = own.minutes * claims.share
    found = fuzzing.fuzz(script, starts, work, minutes=minutes, seed=claims.seed)
    for file, reason in found.faults:
        print(f"  {file}: {reason}")
    claims.tell(
        f"no crash, nothing above {fuzzing.TIMEOUT_S} s or {fuzzing.MEMORY_MB} MB",
        kept=found.n_inputs - len(found.faults),
        of=found.n_inputs,
        minutes=round(minutes, 2),
        peak_MB=found.peak_mb,
    )
    if own.keep:
        folders = [found.corpus, *starts]
        fuzzing.keep(script, folders, CORPUS, max_bytes=_MAX_CORPUS_BYTES)
    if not found.faults:
        shutil.rmtree(work)
    return claims.end()


def load() -> Callable[[bytes], None]:
    from attacks.reader_inputs import feed

    return feed


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        fuzzing.run_child(load, _PACKAGES, max_len=_MAX_INPUT_BYTES)
    sys.exit(main())
