"""Fuzz the loader of model files, guided by its coverage, past hashes and seal.

    pip install -c constraints.txt -e '.[fuzz]'
    python benchmarks/torture/fuzz_model.py [--minutes 10] [--share 1] [--seed 0]
        [--keep] [--out FILE]

`--keep` replaces the corpus in tests/attacks/corpus/model by what reaches the most code.
An input that breaks a promise stays in the folder that is told; make a test of it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import fuzzing

SUITE = fuzzing.Suite(
    script=Path(__file__),
    told=__doc__,
    target="attacks.model_fuzz",
    packages=(
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
    ),
    most_corpus_bytes=190_000,
    most_input_bytes=80_000,
)

if __name__ == "__main__":
    sys.exit(fuzzing.run(SUITE))
