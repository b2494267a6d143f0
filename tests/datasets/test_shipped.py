"""The shipped files are what SOURCES.md says they are."""

import hashlib

import polars as pl
import pytest

from assay import datasets
from assay.errors import UserError


@pytest.fixture(scope="module")
def titanic() -> pl.DataFrame:
    return pl.read_csv(datasets.path("titanic"))


def test_every_name_has_a_file() -> None:
    assert all(datasets.path(name).is_file() for name in datasets.names())


def test_titanic_is_the_file_that_its_source_names() -> None:
    file = datasets.path("titanic")
    sources = (file.parent / "SOURCES.md").read_text(encoding="utf-8")
    assert hashlib.sha256(file.read_bytes()).hexdigest() in sources


def test_titanic_has_the_known_shape_and_survivors(titanic: pl.DataFrame) -> None:
    assert titanic.shape == (891, 12)
    assert titanic["Survived"].sum() == 342
    assert titanic["Name"][0] == "Braund, Mr. Owen Harris"


def test_titanic_gaps_are_those_of_its_source(titanic: pl.DataFrame) -> None:
    gaps = {name: count for name, count in titanic.null_count().row(0, named=True).items() if count}
    assert gaps == {"Age": 177, "Cabin": 687, "Embarked": 2}


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no table 'titanik' .* Did you mean 'titanic'"):
        datasets.path("titanik")
