"""The page in a real browser: silent, moved by the slider, named for those who listen."""

import json
import re
import shutil
from pathlib import Path

import pytest

from assay.report.context import make_context
from assay.report.html import render_html
from assay.report.threshold import threshold_figures

sync_api = pytest.importorskip("playwright.sync_api")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        engine = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield engine
        engine.close()


@pytest.fixture
def document(make_subject, full_evaluation):
    classes = ("</script><script>document.title='broken'</script>", "<img src='https://x.test/a'>")
    evaluation = full_evaluation(classes)
    evaluation["decisions"]["priors"]["deployment"] = {classes[0]: 0.94, classes[1]: 0.06}
    return make_context(make_subject(evaluation))


@pytest.fixture
def page(browser, document, tmp_path: Path):
    """The page, with all that it asked for and complained of."""
    path = tmp_path / "report.html"
    path.write_text(render_html(document), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 390, "height": 800})
    opened.told = []
    opened.on("console", lambda message: opened.told.append(message.text))
    opened.on("pageerror", lambda error: opened.told.append(str(error)))
    opened.on("request", lambda request: opened.told.append(request.url))
    opened.goto(path.as_uri())
    yield opened
    opened.close()


def _shown(page, name: str) -> str:
    return page.locator(f"#live-{name}").inner_text()


def _figure(value: float | None, n_decimals: int) -> str:
    return "–" if value is None else f"{value:,.{n_decimals}f}"


def test_no_request_leaves_the_page_and_nothing_is_complained_of(page):
    assert [one for one in page.told if not one.startswith("file:")] == []
    assert len(page.told) == 1
    assert "broken" not in page.title()
    assert page.evaluate("document.images.length") == 0


def test_slider_moves_the_numbers_as_python_counts_them(page, document):
    table = document["threshold"]
    slider = page.get_by_role("slider")
    slider.focus()
    for key, idx in (("Home", 0), ("ArrowRight", 1), ("End", 100), ("ArrowLeft", 99)):
        page.keyboard.press(key)
        found = threshold_figures(table, idx, cost_miss=2, cost_alarm=1)
        for name in ("precision", "recall", "f1", "accuracy"):
            assert _shown(page, name) == _figure(found[name], 3)
        for name in ("tp", "fp", "fn", "tn"):
            assert _shown(page, name) == _figure(found[name], 0)
        assert _shown(page, "cost") == _figure(found["cost_per_1000"], 1)
        at = _figure(table["threshold"][idx], table["n_decimals"])
        assert slider.get_attribute("aria-valuetext") == f"threshold {at}"
        assert f"At {at}: precision" in page.get_by_role("status").inner_text()


def test_page_starts_with_the_numbers_that_python_wrote(page, document):
    written = re.findall(r'id="live-(\w+)">([^<]+)<', render_html(document))
    assert len(written) == 9
    assert [_shown(page, name) for name, _ in written] == [text for _, text in written]


def test_cheapest_threshold_is_the_cheapest(page, document):
    table = document["threshold"]
    page.get_by_label("a missed").fill("7")
    page.get_by_label("a false alarm").fill("3")
    page.get_by_role("button", name="Find the cheapest threshold").press("Enter")
    costs = [
        threshold_figures(table, idx, cost_miss=7, cost_alarm=3)["cost_per_1000"]
        for idx in range(101)
    ]
    assert _shown(page, "cost") == _figure(min(costs), 1)
    assert int(page.get_by_role("slider").input_value()) == costs.index(min(costs))


def test_theme_can_be_chosen(page):
    def paper() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = paper()
    page.get_by_role("button", name="Switch between light and dark").click()
    assert paper() != light
    page.emulate_media(media="print")
    assert paper() == light or "rgba(0, 0, 0, 0)" in paper()


def test_everything_has_a_name(page):
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('svg[role=img], input, button, nav, [role=region]')]
        .filter(one => {
          const by = (one.getAttribute('aria-labelledby') || '').split(' ').filter(Boolean);
          const told = by.map(id => document.getElementById(id).textContent).join('');
          return !(told || one.getAttribute('aria-label') || one.textContent.trim() ||
            (one.labels && one.labels.length));
        }).map(one => one.outerHTML.slice(0, 80))"""
    )
    assert unnamed == []
    assert page.get_by_role("heading", level=1).count() == 1


def test_a_phone_need_not_scroll_sideways(page):
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(page, scheme):
    page.emulate_media(color_scheme=scheme)
    colours = page.evaluate(
        """() => { const style = getComputedStyle(document.documentElement);
        return Object.fromEntries(['paper','raised','ink','soft','accent','wash','warn','warn-wash',
          'bad','bad-wash','plain','s0','s1','s2','s3','s4','s5']
          .map(name => [name, style.getPropertyValue('--' + name).trim()])); }"""
    )

    def light(name: str) -> float:
        parts = [int(colours[name][idx : idx + 2], 16) / 255 for idx in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(one: str, other: str) -> float:
        dim, bright = sorted((light(one), light(other)))
        return (bright + 0.05) / (dim + 0.05)

    for name, ground in (
        *((name, ground) for name in ("ink", "soft", "accent") for ground in ("paper", "raised")),
        ("accent", "wash"), ("warn", "warn-wash"), ("bad", "bad-wash"), ("warn", "paper"),
    ):  # fmt: skip
        assert contrast(name, ground) >= 4.5, (name, ground)
    for name in ("s0", "s1", "s2", "s3", "s4", "s5", "plain"):  # lines of pictures
        assert contrast(name, "paper") >= 3.0, name
        assert contrast(name, "raised") >= 3.0, name


def test_embedded_document_is_read_back(page, document):
    text = page.evaluate("document.getElementById('report-data').textContent")
    assert json.loads(text) == document
