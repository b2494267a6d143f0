"""Charts: values come to the right place, and nothing in a text is markup."""

import xml.etree.ElementTree as ElementTree

import pytest

from assay.report.charts import (
    Scale,
    bar,
    chart,
    dot,
    frame,
    line,
    nice_ticks,
    row_frame,
    span_across,
    tick_text,
)


def test_scale_maps_ends_to_ends_and_keeps_outsiders_at_the_edge():
    scale = Scale(10.0, 20.0, 100.0, 0.0)
    assert [scale(10.0), scale(15.0), scale(20.0), scale(25.0), scale(0.0)] == [100, 50, 0, 0, 100]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (-0.03, 0.17, [0, 0.05, 0.1, 0.15]),
        (1, 13, [2, 4, 6, 8, 10, 12]),
        (5, 5, [5]),
        (0, 1e-9, [0, 2e-10, 4e-10, 6e-10, 8e-10, 1e-9]),
    ],
)
def test_ticks_are_round_and_inside(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_labels_are_short():
    assert [tick_text(value) for value in (0.0, 1500.0, 250_000.0, -0.25, 2.5e9)] == [
        "0", "1500", "250k", "−0.25", "2.5G",
    ]  # fmt: skip


def test_a_line_breaks_where_a_value_is_none():
    box = frame((0, 4), (0, 1))
    assert line(box, [0, 1, 2, 3], [0.1, None, 0.3, 0.4], "c0").count("M") == 2
    assert line(box, [0, 1], [None, None], "c0") == ""


def test_bars_start_at_zero_on_either_side():
    box = row_frame(["a", "b"], (-1.0, 1.0))
    ends = []
    for value in (0.5, -0.5):
        attributes = ElementTree.fromstring(bar(box, value, 0, "c0")).attrib
        left = float(attributes["x"])
        ends.append((left, left + float(attributes["width"])))
    assert ends[0] == pytest.approx((box.x(0.0), box.x(0.5)), abs=0.2)
    assert ends[1] == pytest.approx((box.x(-0.5), box.x(0.0)), abs=0.2)


def test_a_chart_is_well_formed_and_names_are_text():
    names = ["<script>alert(1)</script>", 'a "b" & c']
    box = row_frame(names, (0, 1), x_label="<b>")
    marks = [span_across(box, 0.1, 0.9, 0, "c0"), dot(box, 0.5, 1, "c1", tip=names[0])]
    text = chart(box, marks, key="k", title=names[0], desc=names[1])
    root = ElementTree.fromstring(text)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "k-title k-desc"
    assert (root[0].text, root[1].text) == (names[0], names[1])
    assert not list(root.iter("script"))
    assert not list(root.iter("b"))


def test_long_names_are_cut_and_leave_room_for_the_picture():
    box = row_frame(["n" * 100, "short"], (0, 1))
    assert len(box.y_ticks[0][1]) == 20
    assert box.x.end - box.x.start > 180
