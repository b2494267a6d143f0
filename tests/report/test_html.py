"""The page: well formed, self-contained, escaped, and the same numbers as its JSON."""

import json
import re
from html.parser import HTMLParser

import pytest

from assay.report.context import make_context, plain
from assay.report.html import MARK, embedded_json, render_html

VOID = {"meta", "input", "br", "link", "img", "hr"}
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg/onload=alert(3)>',
)


class Page(HTMLParser):
    """What a browser would make of a page, with every tag closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.append((tag, named))
        if named.get("id"):
            self.ids.append(named["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            key = self.open[-1]
            if key == "script" and self.tags[-1][1].get("id") == "report-data":
                key = "data"
            self.raw[key] = self.raw.get(key, "") + data
        else:
            self.text.append(data)


@pytest.fixture(params=[("no", "yes"), ("a", "b", "c"), HOSTILE, HOSTILE[:2]], ids=str)
def document(request, make_subject, full_evaluation):
    return make_context(make_subject(full_evaluation(request.param)))


def test_page_is_well_formed_and_ids_are_unique(document):
    page = Page(render_html(document))
    assert len(page.ids) == len(set(page.ids))


def test_nothing_is_fetched(document):
    text = render_html(document)
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
        assert "onload" not in attributes
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in page.raw["style"]
    assert "@import" not in page.raw["style"]
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|https?:", page.raw["script"])
    policy = next(one["content"] for _, one in page.tags if "http-equiv" in one)
    assert policy.startswith("default-src 'none';")


def test_every_picture_has_a_name_and_a_description(document):
    text = render_html(document)
    pictures = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(pictures) > 8
    for picture in pictures:
        assert 'role="img"' in picture
        assert re.search(r'<title id="[\w-]+-title">[^<]+</title><desc id="[\w-]+">[^<]+<', picture)


def test_json_in_the_page_is_the_document(document):
    page = Page(render_html(document))
    assert json.loads(page.raw["data"]) == document


def test_names_are_text(make_subject, full_evaluation):
    subject = make_subject(full_evaluation(HOSTILE), name=HOSTILE[0], target=HOSTILE[1])
    page = Page(render_html(make_context(subject)))
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not any(tag == "img" for tag, _ in page.tags)
    shown = "".join(page.text)
    for name in HOSTILE:
        assert name.rsplit("/", 1)[-1] in shown


def test_json_cannot_end_its_script():
    text = embedded_json({"a": "</script><!--\u2028&"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!--\u2028&"}


def test_page_is_small_and_tells_whose_it_is(document):
    text = render_html(document)
    assert len(text.encode()) < 400_000
    assert MARK in text[:300]


def test_sections_stand_in_order_and_the_verdict_first(document):
    text = render_html(document)
    sections = re.findall(r'<section id="(\w+)"', text)
    order = [
        "read", "candidates", "scores", "confusion", "curves", "reliability", "threshold",
        "decisions", "learning", "importance", "dependence", "findings", "ledger", "columns",
        "recipe", "reproduce",
    ]  # fmt: skip
    assert sections == [name for name in order if name != "threshold" or document["threshold"]]
    assert text.index('class="verdict"') < text.index("<section")
    links = re.findall(r'<li><a href="#(\w+)">', text)
    assert links == sections


def test_numbers_of_the_pictures_are_in_the_document(make_subject, full_evaluation):
    evaluation = full_evaluation()
    document = make_context(make_subject(evaluation))
    judged, own = evaluation["validation"], document["parts"][0]
    assert own["curves"]["classes"][0]["roc"] == judged["curves"]["classes"][0]["roc"]
    history = evaluation["training"]["history"]
    assert document["learning"]["train_loss"] == plain(history["train_loss"])
    assert document["dependence"][0]["rug"] == evaluation["dependence"][0]["rug"]
    bins = judged["reliability"]["after"]["bins"]
    told = own["reliability"]["after"]["bins"]
    assert [one["n"] for one in told] == [one["n"] for one in bins]


def test_slider_has_a_label_and_a_voice(make_subject, full_evaluation):
    page = Page(render_html(make_context(make_subject(full_evaluation()))))
    named = {one["id"]: (tag, one) for tag, one in page.tags if "id" in one}
    tag, slider = named["threshold-range"]
    assert (tag, slider["type"], slider["max"]) == ("input", "range", "100")
    assert named["threshold-said"][1]["aria-live"] == "polite"
    labels = {one["for"] for tag, one in page.tags if tag == "label"}
    assert labels == {"threshold-range", "cost-miss", "cost-alarm"}


def test_grave_findings_are_told_beside_the_verdict(make_subject, full_evaluation):
    evaluation = full_evaluation()
    assert "1 grave finding" in render_html(make_context(make_subject(evaluation)))
    evaluation["findings"] = []
    page = render_html(make_context(make_subject(evaluation)))
    assert "grave finding" not in page
    assert "Nothing was found" in page


def test_no_signal_is_marked(make_subject, full_evaluation):
    evaluation = full_evaluation()
    assert 'class="lead no-signal"' not in render_html(make_context(make_subject(evaluation)))
    evaluation["verdict"]["has_signal"] = False
    assert 'class="lead no-signal"' in render_html(make_context(make_subject(evaluation)))


def test_comparisons_name_who_is_judged_first(make_subject, full_evaluation):
    text = render_html(make_context(make_subject(full_evaluation())))
    assert '<th scope="row">blend against logistic regression</th>' in text


def test_wider_intervals_are_told_where_rows_were_left_out(make_subject, full_evaluation):
    evaluation, told = full_evaluation(), "Intervals of rows left out are made 1.2 times as wide"
    assert told in render_html(make_context(make_subject(evaluation)))
    del evaluation["validation"]
    page = render_html(make_context(make_subject(evaluation)))
    assert "Each score has an interval" in page
    assert told not in page


def test_same_document_same_page(document):
    assert render_html(document) == render_html(json.loads(json.dumps(document)))


@pytest.mark.parametrize("n_classes", [2, 8, 40])
def test_rates_of_the_confusion_matrix_are_shown_with_intervals(
    make_subject, full_evaluation, n_classes
):
    names = tuple(f"class {idx:02d}" for idx in range(n_classes))
    page = render_html(make_context(make_subject(full_evaluation(names))))
    matrix = page.partition('id="confusion"')[2].partition("</section>")[0]
    if n_classes == 2:
        assert matrix.count('<span class="ci">') >= 8  # four cells of two parts
    else:
        assert "The shares with their intervals" in matrix
        assert re.search(r'title="[\d.]+\s%, interval [\d.]+ to [\d.]+\s%"', matrix)


def test_what_a_part_leaves_unsaid_is_said(make_subject, full_evaluation):
    evaluation = full_evaluation()
    evaluation["test"]["note"] = "All 9 rows are of class <no>."
    page = render_html(make_context(make_subject(evaluation)))
    assert '<p class="notice">All 9 rows are of class &lt;no&gt;.</p>' in page


def test_other_candidates_have_their_importance(make_subject, full_evaluation):
    evaluation = full_evaluation()
    columns = [{"column": "<sex>", "increase": {"estimate": 0.2, "low": 0.1, "high": 0.3}}]
    evaluation["importance"]["columns"][1]["column"] = "<sex>"
    evaluation["importance"]["candidates"] = {"network": {"n_rows": 90, "columns": columns}}
    page = render_html(make_context(make_subject(evaluation)))
    assert "For the other candidates" in page
    assert "<bdi>&lt;sex&gt;</bdi>" in page
    assert "<sex>" not in page.partition("report-data")[0]


def test_other_class_shares_are_told_above_the_figures_they_govern(make_subject, full_evaluation):
    evaluation = full_evaluation()
    shares = {"training": {"no": 0.5, "yes": 0.5}, "deployment": {"no": 0.95, "yes": 0.05}}
    evaluation["decisions"]["priors"] = {**shares, "text": "For other shares."}
    page = render_html(make_context(make_subject(evaluation)))
    decisions = page.partition('<h2 id="decisions-h">')[2]
    assert decisions.index("For other shares.") < decisions.index("<h3>Threshold</h3>")
    slider = page.partition('<h2 id="threshold-h">')[2].partition("</section>")[0]
    assert "5.0\u00a0% of class <bdi>yes</bdi>, against 50.0\u00a0% here" in slider
