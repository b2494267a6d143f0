"""Fuzz the loader of model files, guided by its coverage, past hashes and seal.

    pip install -c constraints.txt -e '.[fuzz]'
    python benchmarks/torture/fuzz_model.py [--minutes 10] [--share 1] [--seed 0]
        [--keep] [--out FILE]

`--keep` replaces the corpus in tests/attacks/corpus/model by what reaches the most code.
An input that breaks a promise stays in the folder that is told; make a test of it.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import fuzzing
from claims import Claims

_PACKAGES = (
    "assay.modelfile",
    "assay.decide",
    "assay.derive",
    "assay.encode",
    "assay.predict",
    "assay.read.cast",
    "assay.recipe",
    "assay.reference",
    "assay.schema",
    "assay.sql_bounds",
)
_MAX_CORPUS_BYTES = 190_000
_MAX_INPUT_BYTES = 80_000


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--keep", action="store_true")
    own, others = parser.parse_known_args()
    claims = Claims("fuzz_model", str(__doc__).partition("\n")[0], others)
    if not fuzzing.is_there():
        print("atheris is not installed: pip install -c constraints.txt -e '.[fuzz]'")
        return 1
    from attacks.model_fuzz import CORPUS, seeds

    script = Path(__file__)
    work = Path(tempfile.mkdtemp(prefix="fuzz_model_"))
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
    return claims.end()


def load() -> Callable[[bytes], None]:
    from attacks.model_fuzz import feed

    return feed


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        fuzzing.run_child(load, _PACKAGES, max_len=_MAX_INPUT_BYTES)
    sys.exit(main())
