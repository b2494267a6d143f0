"""A share of the polluted files of benchmarks/torture/pollution.py, each read as promised."""

import numpy as np
import pytest

from attacks.pollution import Case, huge_cases, judge, read_by_assay, row_cases
from attacks.pollution_files import file_cases, refused_cases
from attacks.pollution_tables import clean_tables

pytestmark = pytest.mark.attack

N_ROW_CASES = 120
N_FILE_CASES = 90


def drawn(cases: list[Case], n_cases: int) -> list[Case]:
    rng = np.random.default_rng([0, 53])
    return [cases[at] for at in rng.choice(len(cases), size=n_cases, replace=False)]


def what_went_wrong(cases: list[Case]) -> list[str]:
    found = []
    for case in cases:
        verdict = judge(case, read_by_assay(case))
        is_refused = verdict.kind == "refused" and case.may_refuse and not verdict.is_broken
        if verdict.kind != "whole" and not is_refused:
            found.append(f"{case.name}: {verdict.kind}, {verdict.detail}")
    return found


def test_a_polluted_row_costs_no_other_row():
    assert what_went_wrong(drawn(list(row_cases()), N_ROW_CASES)) == []


def test_a_polluted_file_gives_its_table_or_an_error():
    assert what_went_wrong(drawn(list(file_cases(clean_tables(240))), N_FILE_CASES)) == []


@pytest.mark.parametrize("case", list(refused_cases()), ids=lambda case: case.name)
def test_a_file_without_a_table_is_refused_in_one_line(case):
    reading = read_by_assay(case)
    assert reading.error
    assert "\n" not in reading.error
    assert len(reading.error) < 600


def test_a_cell_of_ten_million_characters_costs_no_other_row():
    assert what_went_wrong(list(huge_cases(clean_tables(240)[:1]))[:2]) == []


def test_there_are_over_two_thousand_polluted_files():
    names = [case.name for case in row_cases(clean_tables(40))]
    assert len(names) > 8_000
    assert len(names) == len(set(names))


def test_the_judge_sees_rows_that_vanish_and_columns_too_many():
    case = next(case for case in row_cases() if case.operator == "one cell more")
    reading = read_by_assay(case)
    assert judge(case, reading).kind == "whole"
    spoiled = {
        "unlisted": {"rows": reading.rows[1:]},
        "wrong width": {"names": (*reading.names, "x")},
        "wrong names": {"names": reading.names[::-1]},
        "wrong cells": {"rows": (*reading.rows, *[("x",) * len(case.names)] * 9)},
        "hang": {"seconds": 6.0},
        "crash": {"crash": "ValueError()"},
    }
    kinds = {kind: judge(case, reading_with(reading, **new)) for kind, new in spoiled.items()}
    assert {kind: verdict.kind for kind, verdict in kinds.items()} == {kind: kind for kind in kinds}
    assert all(verdict.is_broken for verdict in kinds.values())
    silent = reading_with(reading, listed=frozenset())
    assert judge(case, silent).kind == "unlisted"


def reading_with(reading, **changes):
    return type(reading)(**{**vars(reading), **changes})
