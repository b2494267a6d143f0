"""The invented people: the same everywhere, in range, and learnable but not easily."""

import hashlib

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.datasets import make_people
from assay.errors import UserError

STATES = ["michigan", "nebraska", "oklahoma"]
FIRST_ROWS = [
    ("F", 42, "michigan", 47200.0, "moderate"),
    ("F", 70, "oklahoma", 77100.0, "conservative"),
    ("F", 21, "michigan", 34400.0, "moderate"),
]
DIGESTS = [
    "849471e2a25afe4ee8324c08efb3225250cba30349b966cda5743be4935521b2",
    "bccef41dfb6b098a1e468c27f51b8632c0960d2f05bd9638deca65e4c645cffa",
]
PARTIES = ["conservative", "moderate", "liberal"]


@pytest.fixture(scope="module")
def crowd() -> tuple[pl.DataFrame, pl.DataFrame]:
    return make_people(4000, 2000, seed=1)


def _samples(people: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    features = people.select(
        pl.col("sex") == "F", "age", *(pl.col("state").eq(s).alias(s) for s in STATES), "income"
    )
    return features.cast(pl.Float64).to_numpy(), people["politics"].to_numpy()


def test_first_people_are_these() -> None:
    train, _ = make_people()
    assert train.rows()[:3] == FIRST_ROWS


def test_default_tables_are_the_same_on_every_machine() -> None:
    digests = [hashlib.sha256(part.write_csv().encode()).hexdigest() for part in make_people()]
    assert digests == DIGESTS


def test_seed_alone_decides() -> None:
    again = make_people(50, 10, seed=3)
    assert all(a.equals(b) for a, b in zip(make_people(50, 10, seed=3), again, strict=True))
    assert not make_people(50, 10, seed=4)[0].equals(again[0])


def test_more_people_leave_the_first_as_they_were() -> None:
    few, many = make_people(50, 0)[0], make_people(500, 0)[0]
    assert many.head(50).equals(few)


def test_train_and_test_are_one_draw_cut_in_two() -> None:
    train, test = make_people(30, 12)
    assert pl.concat([train, test]).equals(make_people(42, 0)[0])


def test_columns_keep_their_types_and_ranges(crowd: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    people = crowd[0]
    assert list(people.schema.items()) == [
        ("sex", pl.String),
        ("age", pl.Int64),
        ("state", pl.String),
        ("income", pl.Float64),
        ("politics", pl.String),
    ]
    assert people.null_count().row(0) == (0, 0, 0, 0, 0)
    assert (people["age"].min(), people["age"].max()) == (18, 70)
    assert people["income"].is_between(20_000, 80_000).all()
    assert (people["income"] % 100 == 0).all()
    assert sorted(people["sex"].unique()) == ["F", "M"]
    assert sorted(people["state"].unique()) == STATES


def test_no_class_is_rare_and_moderate_is_the_largest(
    crowd: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    shares = dict(crowd[0]["politics"].value_counts(normalize=True).iter_rows())
    assert set(shares) == set(PARTIES)
    assert min(shares.values()) > 0.25
    assert max(shares, key=lambda party: shares[party]) == "moderate"


def test_lines_tell_more_than_the_majority_and_trees_more_than_lines(
    crowd: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    (X, y), (X_test, y_test) = (_samples(part) for part in crowd)
    majority = np.mean(y_test == "moderate")
    lines = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y).score(X_test, y_test)
    trees = HistGradientBoostingClassifier(random_state=0).fit(X, y).score(X_test, y_test)
    assert lines > majority + 0.05
    assert trees > lines + 0.1


def test_age_turns_women_and_men_opposite_ways(crowd: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    old = crowd[0].filter(pl.col("age") >= 60)
    share = {
        sex: (part["politics"] == "conservative").mean() for (sex,), part in old.group_by("sex")
    }
    assert share["F"] > 0.7
    assert share["M"] < 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_train": 0}, "n_train = 0 is below 1"),
        ({"n_test": -1}, "n_test = -1 is below 0"),
        ({"seed": -5}, "seed = -5 is below 0"),
    ],
)
def test_impossible_counts_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_people(**options)
