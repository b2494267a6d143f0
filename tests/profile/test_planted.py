"""Planted defects are named, and clean tables are left in peace."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from assay.encode import TargetEncoder, take_labelled
from assay.ledger import Ledger
from assay.predict import Preparation
from assay.profile import Finding, examine
from assay.recipe import Recipe
from assay.roles import named_roles
from assay.table import Table

Columns = dict[str, object]
Plant = Callable[[np.ndarray, np.random.Generator], Columns]

N_ROWS = 600
START = datetime(2020, 1, 1)


def clean(seed: int = 0, n_rows: int = N_ROWS, n_classes: int = 2) -> pl.DataFrame:
    """Return columns of every kind that tell the target a little, in random order."""
    rng = np.random.default_rng(seed)
    age, income = rng.normal(45, 12, n_rows).round(1), rng.lognormal(3, 0.7, n_rows).round(2)
    town = rng.choice(["Ulm", "Bonn", "Kiel", "Trier"], n_rows)
    score = 0.05 * (age - 45) + 0.3 * (town == "Kiel") + rng.logistic(size=n_rows)
    y = np.searchsorted(np.quantile(score, np.arange(1, n_classes) / n_classes), score)
    gaps = rng.random(n_rows) < 0.1
    return pl.DataFrame(
        {
            "age": age,
            "income": [None if gap else value for gap, value in zip(gaps, income, strict=True)],
            "town": town,
            "visits": rng.poisson(4, n_rows),
            "member": rng.choice(["yes", "no"], n_rows),
            "height": rng.normal(170, 9, n_rows).round(1),
            "since": [START + timedelta(minutes=int(m)) for m in rng.integers(0, 900_000, n_rows)],
            "target": np.array(["low", "high", "middle", "odd", "even"])[y],
        }
    )


def found_in(frame: pl.DataFrame, target: str = "target", **options: object) -> tuple[Finding, ...]:
    """Return the findings of a table that is prepared as for a training."""
    recipe = Recipe().with_options({"target": target, **options})
    table, ledger = Table(frame), Ledger()
    missing = recipe.read.missing
    encoder = TargetEncoder.fit(table.column(target), missing=missing, where="table")
    features, y = take_labelled(table, encoder, ledger, missing=missing)
    roles = named_roles(recipe)
    preparation = Preparation.fit(features, recipe, ledger, roles=roles)
    typed = preparation.apply(features, recipe, is_training=True).frame
    return examine(
        typed.drop(list(roles)),
        preparation.schema,
        y,
        encoder.classes,
        n_folds=recipe.split.folds,
        has_groups="group" in roles.values(),
        has_time="time" in roles.values(),
    )


def named(found: tuple[Finding, ...], kind: str) -> dict[str, str]:
    """Return where a kind was found, and its severity there."""
    return {one.where: one.severity for one in found if one.kind == kind}


def _texts(y, rng):
    """Every cell differs, one word gives the outcome away."""
    return [
        f"case {n} of {rng.choice(['May', 'June'])} was {'granted' if one else 'refused'} by {m}"
        for n, (one, m) in enumerate(zip(y, rng.integers(0, 999, len(y)), strict=True))
    ]


def _sum(y, rng):
    part = rng.integers(-50, 50, len(y))
    return {"leak": part, "rest": y - part}


def _difference(y, rng):
    before = rng.normal(100, 20, len(y)).round(2)
    return {"leak": before + y, "before": before}


def _order(y, rng):
    due = [START + timedelta(hours=int(h)) for h in rng.integers(0, 9000, len(y))]
    late = rng.integers(1, 200, len(y)) * np.where(y == 1, 1, -1)
    closed = [d + timedelta(hours=int(h)) for d, h in zip(due, late, strict=True)]
    return {"leak": closed, "due": due}


def _flipped(y, rng, share):
    chosen = rng.choice(len(y), max(1, round(share * len(y))), replace=False)
    flipped = y.copy()
    flipped[chosen] = 1 - flipped[chosen]
    return flipped


LEAKS: dict[str, Plant] = {
    "copy": lambda y, rng: {"leak": np.array(["low", "high"])[y]},
    "renamed codes": lambda y, rng: {"leak": np.array(["K7", "Q2"])[y]},
    "numbers": lambda y, rng: {"leak": y},
    "negated numbers": lambda y, rng: {"leak": 5 - 3 * y},
    "truth values": lambda y, rng: {"leak": y == 1},
    "noise of 0.1 %": lambda y, rng: {"leak": y + rng.normal(0, 0.001, len(y))},
    "noise within ranges": lambda y, rng: {"leak": 40 * y + rng.uniform(0, 39, len(y)).round(2)},
    "half a percent flipped": lambda y, rng: {"leak": _flipped(y, rng, 0.005)},
    "missing when positive": lambda y, rng: {
        "leak": [None if one else v for one, v in zip(y, rng.normal(size=len(y)), strict=True)]
    },
    "text missing when negative": lambda y, rng: {
        "leak": [rng.choice(["a", "b", "c"]) if one else None for one in y]
    },
    "time after the outcome": lambda y, rng: {
        "leak": [START + timedelta(hours=int(rng.integers(9000))) if one else None for one in y]
    },
    "later times": lambda y, rng: {
        "leak": [START + timedelta(hours=int(rng.integers(9000) + 9001 * one)) for one in y]
    },
    "amount paid back": lambda y, rng: {"leak": y * rng.integers(1, 500, len(y))},
    "one word of the text": lambda y, rng: {"leak": _texts(y, rng)},
    "beginning of a code": lambda y, rng: {
        "leak": [f"{'RP'[one]}{rng.integers(10, 99)} {rng.integers(400)}" for one in y]
    },
    "many levels": lambda y, rng: {"leak": [f"s{2 * rng.integers(0, 7) + one}" for one in y]},
    "last digit": lambda y, rng: {"leak": 10 * rng.integers(10**4, 10**6, len(y)) + 3 + 4 * y},
    "parity": lambda y, rng: {"leak": 2 * rng.integers(10**4, 10**6, len(y)) + y},
    "sum of two": _sum,
    "difference of two": _difference,
    "order of two times": _order,
    "bins of a secret": lambda y, rng: {
        "leak": np.where(y == 1, rng.normal(0, 1, len(y)), rng.choice([-9.0, 9.0], len(y)))
    },
}


@pytest.mark.parametrize("name", LEAKS)
def test_leak_is_named_as_grave(name, rng):
    frame = clean(seed=1)
    y = (frame["target"] == "high").to_numpy().astype(int)
    frame = frame.with_columns(**{k: pl.Series(v) for k, v in LEAKS[name](y, rng).items()})
    if name in ("sum of two", "difference of two"):
        frame = frame.with_columns(target=pl.Series(y))
    found = found_in(frame)
    leaks = {one.where: one for one in found if one.kind == "leak"}
    assert leaks["leak"].severity == "high"
    assert "drop = [" in leaks["leak"].option
    assert leaks["leak"].evidence
    assert set(leaks) == {"leak"}


@pytest.mark.parametrize("as_number", [False, True])
def test_leak_of_many_classes_is_named(as_number, rng):
    frame = clean(seed=2, n_classes=5)
    codes = frame["target"].rank("dense").to_numpy().astype(int)
    leak = codes * 11 % 7 if as_number else np.array(list("?vwxyz"))[codes]
    found = found_in(frame.with_columns(leak=pl.Series(leak)))
    assert named(found, "leak") == {"leak": "high"}


def test_leak_of_a_rare_class_is_named(rng):
    frame = clean(seed=3, n_rows=2000)
    y = (rng.random(2000) < 0.03).astype(int)
    calls = np.where(y == 1, rng.integers(1, 9, 2000), (rng.random(2000) < 0.002).astype(int))
    found = found_in(frame.with_columns(target=pl.Series(y), calls=pl.Series(calls)))
    assert named(found, "leak") == {"calls": "high"}


def test_several_leaks_are_all_named(rng):
    frame = clean(seed=4)
    y = (frame["target"] == "high").to_numpy().astype(int)
    frame = frame.with_columns(one=pl.Series(y), two=pl.Series(np.array(["u", "v"])[y]))
    assert named(found_in(frame), "leak") == {"one": "high", "two": "high"}


@pytest.mark.parametrize(("share", "severity"), [(0.3, "medium"), (0.8, "high")])
def test_gaps_in_one_class_only_are_named(share, severity, rng):
    frame = clean(seed=5)
    is_gap = (frame["target"] == "high").to_numpy() & (rng.random(frame.height) < share)
    cells = [None if gap else v for gap, v in zip(is_gap, rng.normal(size=600), strict=True)]
    found = found_in(frame.with_columns(lab=pl.Series(cells)))
    kinds = {one.kind: one.severity for one in found if one.where == "lab"}
    assert kinds == {"missingness": severity}


@pytest.mark.parametrize(("share", "severity"), [(0.3, "low"), (0.9, "high")])
def test_cells_in_the_commoner_class_only_are_named(share, severity, rng):
    n_rows = 1300
    frame = clean(seed=5, n_rows=n_rows)
    y = np.where(rng.random(n_rows) < 0.62, "common", "rare")
    is_filled = (y == "common") & (rng.random(n_rows) < share)
    values = rng.normal(size=n_rows)
    cells = [v if own else None for own, v in zip(is_filled, values, strict=True)]
    found = found_in(frame.with_columns(pl.Series("target", y), late=pl.Series(cells)))
    (one,) = [one for one in found if one.where == "late"]
    assert (one.kind, one.severity) == ("missingness", severity)


@pytest.mark.parametrize("common", [0.9, 0.99])
def test_gaps_by_chance_in_a_table_of_nearly_one_class_are_no_alarm(common, rng):
    n_rows = 6000
    frame = clean(seed=5, n_rows=n_rows)
    y = np.where(rng.random(n_rows) < common, "common", "rare")
    cells = [v if v < 0.5 else None for v in rng.normal(size=n_rows)]
    found = found_in(frame.with_columns(pl.Series("target", y), late=pl.Series(cells)))
    assert [one.kind for one in found if one.where == "late"] == []


def test_gaps_that_go_together_are_told_once(rng):
    frame = clean(seed=5)
    is_gap = rng.random(600) < np.where(frame["target"] == "high", 0.6, 0.1)
    cells = [None if gap else float(n) ** 0.5 for n, gap in enumerate(is_gap)]
    found = found_in(frame.with_columns(a=pl.Series(cells), b=-pl.Series(cells)))
    (gaps,) = [one for one in found if one.kind == "missingness"]
    assert "'a' and 'b' are missing more often in class 'high'" in gaps.what
    assert gaps.option == 'drop = ["a", "b"]'


IDENTIFIERS: dict[str, Callable[[np.random.Generator], object]] = {
    "hexadecimal": lambda rng: [f"{v:016x}" for v in rng.integers(2**60, 2**62, 600)],
    "keys of uneven length": lambda rng: [f"C{v}" for v in rng.permutation(9000)[:600]],
    "addresses": lambda rng: [f"{'nm'[v % 2]}{v}@example.org" for v in range(600)],
    "rising numbers with gaps": lambda rng: np.cumsum(rng.integers(2, 90, 600)),
    "drawn numbers": lambda rng: rng.choice(10**9, 600, replace=False),
}


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_identifier_that_is_a_feature_is_named(name, rng):
    cells = pl.Series(IDENTIFIERS[name](rng))
    if cells.dtype == pl.String:  # one repeats, so that the kinds do not set it aside
        cells = pl.concat([cells[:-1], cells[:1]])
    found = found_in(clean(seed=6).with_columns(badge=cells))
    assert list(named(found, "identifier")) == ["badge"]
    assert {one.option for one in found if one.kind == "identifier"} == {
        'kinds.badge = "identifier"'
    }


def test_identifier_that_was_set_aside_is_not_repeated():
    frame = clean(seed=6).with_columns(id=pl.int_range(600))
    assert named(found_in(frame), "identifier") == {}


def test_copies_and_copies_of_another_class_are_counted():
    frame = clean(seed=7)
    other = {"low": "high", "high": "low"}
    torn = frame[:30].with_columns(pl.col("target").replace(other))
    found = found_in(pl.concat([frame, torn, frame[40:70]]))
    (copies,) = [one for one in found if one.kind == "duplicates"]
    assert copies.what.startswith("60 rows are copies of others")
    (torn_found,) = [one for one in found if one.kind == "conflicting_labels"]
    assert torn_found.severity == "medium"
    assert torn_found.what.startswith("60 rows equal a row of another class")
    assert "95.46 %" in torn_found.what  # 630 of 660 at most


def test_copies_hidden_by_one_column_are_named(rng):
    frame = clean(seed=8)
    noisy = pl.concat([frame, frame[:200]]).with_columns(entered=pl.Series(rng.random(800)))
    found = found_in(noisy)
    assert named(found, "near_duplicates") == {"entered": "high"}


def test_column_of_nearly_one_value_is_named():
    cells = ["off"] * 2999 + ["on"]
    found = found_in(clean(seed=9, n_rows=3000).with_columns(switch=pl.Series(cells)))
    assert named(found, "quasi_constant") == {"switch": "low"}


@pytest.mark.parametrize("as_number", [False, True])
def test_group_whose_rows_share_their_class_is_named(as_number, rng):
    frame = clean(seed=10)
    patient = rng.permutation(np.repeat(np.arange(120), 5))
    sick = rng.random(120) < 0.5
    code = rng.permutation(10**5)[:120]
    cells = code[patient] if as_number else [f"patient {code[p]}" for p in patient]
    target = np.where(sick[patient], "yes", "no")
    found = found_in(frame.with_columns(target=pl.Series(target), who=pl.Series(cells)))
    assert named(found, "groups") == {"who": "high"}
    assert named(found, "leak") == {}
    told = found_in(
        frame.with_columns(target=pl.Series(target), who=pl.Series(cells)),
        **{"split.group": "who"},
    )
    assert named(told, "groups") == {}


def test_sorted_target_is_told():
    found = found_in(clean(seed=11).sort("target"))
    assert named(found, "sorted_target") == {"rows": "low"}
    assert named(found, "row_order") == {}


def test_relatives_side_by_side_are_told_without_a_column_that_names_them(rng):
    centre = rng.normal(size=(60, 6))
    sick = rng.random(60) < 0.5
    cells = np.repeat(centre, 10, axis=0) + 0.1 * rng.normal(size=(600, 6))
    frame = pl.DataFrame({f"x{j}": cells[:, j] for j in range(6)})
    frame = frame.with_columns(target=pl.Series(np.where(np.repeat(sick, 10), "yes", "no")))
    found = found_in(frame)
    assert named(found, "row_order") == {"rows": "high"}
    assert named(found_in(frame.sample(fraction=1.0, shuffle=True, seed=1)), "row_order") == {}


def test_rows_in_order_of_time_name_the_column(rng):
    steps = np.cumsum(rng.normal(size=(900, 4)), axis=0)
    y = np.where(np.sin(np.arange(900) / 25) + 0.2 * rng.normal(size=900) > 0, "up", "down")
    day = [START + timedelta(days=n) for n in range(900)]
    frame = pl.DataFrame({f"x{j}": steps[:, j] for j in range(4)})
    found = found_in(frame.with_columns(day=pl.Series(day), target=pl.Series(y)))
    (order,) = [one for one in found if one.kind == "row_order"]
    assert order.option == 'split.time = "day"'
    assert order.severity in ("high", "medium")


def test_drift_along_a_time_is_told(rng):
    frame = clean(seed=12)
    late = frame["since"].rank().to_numpy() / 600
    target = np.where(rng.random(600) < 0.2 + 0.6 * late, "yes", "no")
    found = found_in(frame.with_columns(target=pl.Series(target)))
    assert named(found, "timestamps") == {"since": "medium"}
    assert named(found_in(clean(seed=12)), "timestamps") == {"since": "low"}


def test_rare_classes_are_told():
    frame = clean(seed=13)
    target = ["one"] * 4 + frame["target"].to_list()[4:]
    found = found_in(frame.with_columns(target=pl.Series(target)))
    (rare,) = [one for one in found if one.kind == "rare_classes"]
    assert rare.evidence == "'one' (4)"
    assert "fewer than 10 rows" in rare.what


@pytest.mark.parametrize("seed", range(20, 32))
def test_clean_table_has_no_grave_finding(seed):
    n_rows, n_classes = [(60, 2), (200, 3), (600, 2), (2500, 5)][seed % 4]
    found = found_in(clean(seed=seed, n_rows=n_rows, n_classes=n_classes))
    assert {one.kind for one in found if one.severity != "low"} == set()


def test_easy_tables_raise_no_alarm():
    from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

    for load in (load_iris, load_wine, load_breast_cancer, load_digits):
        data = load()
        frame = pl.DataFrame({f"x{j}": data.data[:, j] for j in range(data.data.shape[1])})
        found = found_in(frame.with_columns(target=pl.Series(data.target)))
        assert [one for one in found if one.severity == "high"] == [], load.__name__


def test_findings_are_the_same_in_every_run():
    frame = clean(seed=14, n_rows=900)
    assert found_in(frame) == found_in(frame)
