"""The two tutorials, run as recipes, beside their published figures.

    python benchmarks/recipes_of_the_tutorials.py [--titanic FILE] [--people FOLDER]

Without options the tables that ship with assay are used: the passengers are the
original ones, the people are made by assay's own generator. `--people` names a folder
with people_raw_train.txt and people_raw_test.txt, and people_train.txt and
people_test.txt (the scaled layout).
"""

import argparse
from pathlib import Path

import assay
from assay.datasets import make_people, path

PERSON = {"sex": ["M"], "age": [30], "state": ["oklahoma"], "income": [50_000]}
SCALED = {"sex": [-1], "age": [0.30], "michigan": [0], "nebraska": [0], "oklahoma": [1],
          "income": [0.50]}  # fmt: skip


def spread(part: dict) -> str:
    accuracy = part["members"]["accuracy"]
    return f"{accuracy['mean']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})"


def people(train, test, person: dict, layout: str) -> None:
    model = assay.train(train, recipe="people", test=test)
    found = model.evaluation
    proba = model.predict_proba(person)[0].round(3).tolist()
    proba = dict(zip(map(str, model.classes), proba, strict=True))
    print(
        f"people, {layout}: 32 networks, train {spread(found['train'])}, "
        f"test {spread(found['test'])}; published 0.815 and 0.750 from one run"
    )
    print(f"  (M, 30, oklahoma, 50 000): {proba}; published [0.69, 0.30, 0.005]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--titanic", type=Path, default=path("titanic"))
    parser.add_argument("--people", type=Path)
    options = parser.parse_args()
    model = assay.train(options.titanic, "Survived", recipe="titanic")
    print(
        f"titanic: 20 networks, validation {spread(model.evaluation['validation'])}; "
        "published 0.78 from one run"
    )
    if options.people is None:
        people(*make_people(), PERSON, "made by assay")
        return
    for layout, person in (("people_raw", PERSON), ("people", SCALED)):
        files = (options.people / f"{layout}_{part}.txt" for part in ("train", "test"))
        people(*files, person, layout)


if __name__ == "__main__":
    main()
