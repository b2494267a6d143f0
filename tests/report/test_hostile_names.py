"""A hundred hostile names: text in the page, in its pictures and data, in the card, in lines."""

import json
import re
from html.parser import HTMLParser

import pytest

from assay.cli.layout import cut, table
from assay.report.context import make_context
from assay.report.html import render_html
from assay.report.markdown import render_markdown
from assay.report.wording import one_line
from attacks.names import NAMES, STEERING

pytestmark = pytest.mark.attack
N_AT_ONCE = 26


class Tags(HTMLParser):
    """The tags of a page, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.names and self.names[-1] == "script" and self.cdata_elem:
            self.scripts.append(data)


@pytest.fixture(params=range(0, len(NAMES), N_AT_ONCE))
def document(request, make_subject, full_evaluation):
    names = NAMES[request.param : request.param + N_AT_ONCE]
    evaluation = full_evaluation(names)
    for finding, name in zip(evaluation["findings"], names, strict=False):
        finding.update(where=name, what=f"{name} tells.", option=f"drop = [{name!r}]")
    for column, name in zip(evaluation["importance"]["columns"], names[3:], strict=False):
        column["column"] = name
    for column, name in zip(evaluation["dependence"], names[6:], strict=False):
        column["column"] = name
    return make_context(make_subject(evaluation, name=names[0], target=names[1]))


def test_the_page_has_no_tag_and_no_handler_but_its_own(document, make_subject, full_evaluation):
    plain = Tags(render_html(make_context(make_subject(full_evaluation()))))
    page = Tags(render_html(document))
    assert page.names.count("script") == plain.names.count("script")
    assert set(page.names) <= set(plain.names) | {"details", "summary"}
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcdoc", "xlink:href", "formaction")
        assert "javascript:" not in (value or "") or name in ("title", "aria-label", "content")
        assert name != "href" or (value or "").startswith("#")


def test_the_data_of_the_page_is_the_document(document):
    page = render_html(document)
    data = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.S)
    assert json.loads(data[1]) == document
    assert not set("<>&\u2028\u2029") & set(data[1])


def test_the_card_holds_no_markup_of_names(document):
    card = render_markdown(document)
    parts = card.split("```")
    assert len(parts) % 2  # each fence that opens closes: no name ends one
    assert all(line for line in parts[1].splitlines()[1:])
    card = "".join(parts[::2])
    assert not re.search(r"<(?!!--)[a-zA-Z/!?]", card)
    assert not re.search(r"(?<!\\)\]\((?:javascript|//)", card)
    assert not STEERING & set(card)


@pytest.mark.parametrize("name", NAMES)
def test_a_line_of_the_terminal_stays_a_line(name):
    for text in (one_line(name), cut(name), *table([[cut(name), "1"]])):
        assert not (STEERING | {"\n"}) & set(text)
