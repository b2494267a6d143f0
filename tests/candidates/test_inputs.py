"""Numbers are filled, centred, scaled and squashed by what their own rows say."""

import numpy as np
import pytest

from assay.candidates.inputs import HotLevels, Scaling


def test_numbers_worked_by_hand():
    numbers = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [np.nan]], dtype=np.float32)
    scaling = Scaling.fit(numbers)  # median 2, IQR 2
    found = scaling.apply(np.array([[2.0], [4.0], [np.nan], [1e30]], dtype=np.float32))
    expected = [[0.0, 0.0], [1.0 / np.sqrt(1.0 + 1.0 / 9.0), 0.0], [0.0, 1.0], [3.0, 0.0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("column", [[5.0] * 4, [np.nan] * 4], ids=["constant", "missing"])
def test_columns_that_say_nothing_become_zero(column):
    numbers = np.array(column, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(Scaling.fit(numbers).apply(numbers)[:, 0], 0.0)


def test_a_column_whose_quartiles_are_equal_is_scaled_by_its_deviation():
    numbers = np.array([0.0] * 9 + [10.0], dtype=np.float32)[:, None]
    assert Scaling.fit(numbers).factor[0] == pytest.approx(1.0 / 3.0)


def test_levels_have_places_of_their_own():
    levels = HotLevels.of([2, 1000, 1])
    assert levels.columns.tolist() == [0, 2]
    assert levels.n_rows == 4 + 3
    codes = np.array([[0, 7, 0], [3, 0, 2]], dtype=np.uint8)
    assert levels.rows(codes).tolist() == [[0, 4], [3, 6]]
