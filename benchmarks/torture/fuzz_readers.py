"""Fuzz every reader of text: delimited, JSON, numbers, dates and recipes.

    pip install -c constraints.txt -e '.[fuzz]'
    python benchmarks/torture/fuzz_readers.py [--minutes 10] [--share 1] [--seed 0]
        [--keep] [--out FILE]

`--keep` replaces the corpus in tests/attacks/corpus/read by what reaches the most code.
An input that breaks a promise stays in the folder that is told; make a test of it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import fuzzing

SUITE = fuzzing.Suite(
    script=Path(__file__),
    told=__doc__,
    target="attacks.reader_inputs",
    packages=("assay.read", "assay.recipe", "assay.toml_text", "assay.amounts", "assay.options"),
    most_corpus_bytes=120_000,
    most_input_bytes=4_096,
)

if __name__ == "__main__":
    sys.exit(fuzzing.run(SUITE))
