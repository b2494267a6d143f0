"""The report of a model: written by its verb and after a training."""

import json
import re

import pytest

from assay import load
from assay.cli import report as module
from assay.errors import UserError
from assay.report import write


def _data(page: str) -> dict:
    return json.loads(re.search(r'id="report-data">(.*?)</script>', page).group(1))


def test_default_is_a_page_beside_the_model(run, model):
    result = run("report", model)
    page = model.with_suffix(".html")
    assert (result.status, result.out) == (0, f"Written {page}\n")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert _data(text)["model"]["file"] == model.name
    assert str(model.parent) not in text


def test_json_is_what_the_page_embeds(run, model, tmp_path):
    page, twin = tmp_path / "a.html", tmp_path / "a.json"
    assert run("report", model, "-o", page).status == 0
    assert run("report", model, "-o", twin).status == 0
    assert json.loads(twin.read_text(encoding="utf-8")) == _data(page.read_text(encoding="utf-8"))


def test_card_is_markdown(run, model):
    assert run("report", model, "--format", "md").status == 0
    mark, title, *_ = model.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    assert mark.startswith("<!-- Model card written by assay ")
    assert title == "# Model card: fruit"


@pytest.mark.parametrize("form", ["html", "json", "md"])
def test_a_default_name_replaces_only_what_assay_wrote(run, model, form):
    path = model.with_suffix(f".{form}")
    mine = '[{"report": "mine"}]'
    path.write_text(mine, encoding="utf-8")
    result = run("report", model, "--format", form)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"assay: {path}: is there already, and ")
    assert "Give -o FILE to overwrite it" in result.err
    assert path.read_text(encoding="utf-8") == mine
    assert run("report", model, "-o", path).status == 0
    written = path.read_bytes()
    assert run("report", model, "--format", form).status == 0
    assert path.read_bytes() == written


def test_a_card_that_a_person_filled_in_stays(run, model):
    card = model.with_suffix(".md")
    assert run("report", model, "--format", "md").status == 0
    filled = card.read_text(encoding="utf-8").replace("*To be filled in by a person.*", "For us.")
    card.write_text(filled, encoding="utf-8")
    assert run("report", model, "--format", "md").status == 2
    assert card.read_text(encoding="utf-8") == filled


def test_report_goes_to_standard_output(run, model):
    result = run("report", model, "--format", "json", "-o", "-")
    assert json.loads(result.out)["model"]["target"] == "fruit"


def test_quiet_tells_the_path_only(run, model, tmp_path):
    assert run("report", model, "-q", "-o", tmp_path / "r.html").out == f"{tmp_path}/r.html\n"


def test_same_model_same_bytes(run, model, tmp_path):
    for name in ("a.html", "b.html"):
        assert run("report", model, "-o", tmp_path / name).status == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "pdf"], "--format: unknown format 'pdf'"),
        (["-o", "r.pdf"], "r.pdf: '.pdf' tells no format of a report"),
        (["-o", "nowhere/r.html"], "nowhere: there is no such folder"),
        (["--format", "html", "-o", "m.assay"], "m.assay: the report would overwrite a model"),
    ],
)
def test_what_cannot_be_written_is_one_line(run, model, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    result = run("report", model, *options)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"assay: {said}")
    assert len(result.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_model_itself_is_never_replaced(run, model):
    before = model.read_bytes()
    result = run("report", model, "--format", "html", "-o", model)
    assert result.status == 2
    assert "would overwrite" in result.err
    link = model.with_name("link.html")
    link.symlink_to(model)
    assert run("report", model, "-o", link).status == 2
    link.unlink()
    assert model.read_bytes() == before


def test_what_is_no_model_is_refused(run, fruit):
    result = run("report", fruit)
    assert (result.status, result.out) == (2, "")
    assert "is not an assay model" in result.err


def test_library_writes_by_the_ending(model, tmp_path):
    trained = load(model)
    trained.report(tmp_path / "fruit.html")
    text = (tmp_path / "fruit.html").read_text(encoding="utf-8")
    assert _data(text)["model"]["file"] == "fruit.assay"
    trained.report(tmp_path / "fruit.md")
    with pytest.raises(UserError, match="tells no format"):
        trained.report(tmp_path / "fruit.txt")


@pytest.mark.story
def test_training_writes_the_page_beside_the_model(run, fruit, tmp_path, quick):
    args = ["train", fruit, "--target", "fruit", *quick]
    result = run(*args, "-o", tmp_path / "m.assay")
    twins = [tmp_path / f"m.{form}" for form in write.FORMATS]
    written = ", ".join(str(path) for path in twins)
    assert result.out.endswith(f"Written {tmp_path}/m.assay and {written}\n")
    for form, path in zip(write.FORMATS, twins, strict=True):
        assert write.is_report(path, form)
        alone = run("report", tmp_path / "m.assay", "--format", form, "-o", "-").out
        assert path.read_text(encoding="utf-8") == alone
    text = twins[0].read_text(encoding="utf-8")
    told = json.loads(run("report", tmp_path / "m.assay", "--format", "json", "-o", "-").out)
    assert _data(text) == told


@pytest.mark.story
def test_a_report_that_fails_leaves_the_model(run, fruit, tmp_path, quick, monkeypatch):
    def broken(*args: object, **named: object) -> str:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(write, "render_reports", broken)
    result = run("train", fruit, "--target", "fruit", *quick, "-o", tmp_path / "m.assay", "-q")
    assert (result.status, result.out) == (0, f"{tmp_path}/m.assay\n")
    assert "the model is kept, but its report failed (ZeroDivisionError: a bug)" in result.err
    assert load(tmp_path / "m.assay").target == "fruit"


class Broken:
    """A model that cannot tell of itself."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.written: list[str] = []

    def report(self, *paths: str, name: str = "") -> None:
        if self.error:
            raise self.error
        self.written += [f"{path} of {name}" for path in paths]


def test_a_place_that_is_not_writable_is_told(tmp_path, capfd):
    error = UserError("cannot write: no room", where="m.html")
    assert module.report_after_training(Broken(error), str(tmp_path / "m.assay"), None) == []
    told = (
        "assay: the model is kept, but its report cannot be written: m.html: cannot write: no room"
    )
    assert capfd.readouterr().err.startswith(told)


def test_a_page_that_is_not_ours_stays(tmp_path, capfd):
    page = tmp_path / "m.html"
    page.write_text("<p>mine</p>", encoding="utf-8")
    twins = [str(tmp_path / "m.json"), str(tmp_path / "m.md")]
    assert module.report_after_training(Broken(), str(tmp_path / "m.assay"), None) == twins
    assert page.read_text(encoding="utf-8") == "<p>mine</p>"
    assert "is no report of assay and stays" in capfd.readouterr().err
    wanted = Broken()
    assert module.report_after_training(wanted, "m.assay", str(page)) == [str(page)]
    assert wanted.written == [f"{page} of m.assay"]


def test_a_model_on_standard_output_has_no_report_unless_asked(tmp_path):
    model = Broken()
    assert module.report_after_training(model, "-", None) == []
    assert model.written == []
    assert module.report_after_training(model, "-", "r.html") == ["r.html"]


def test_a_table_named_as_the_twin_is_no_twin(run, fruit, tmp_path, quick):
    table = tmp_path / "fruit.json"
    header, *rows = (line.split(",") for line in fruit.read_text(encoding="utf-8").splitlines())
    records = [dict(zip(header, row, strict=True)) for row in rows]
    table.write_text(json.dumps(records), encoding="utf-8")
    before = table.read_bytes()
    path = tmp_path / "fruit.assay"
    result = run("train", table, "--target", "fruit", *quick, "-o", path)
    assert result.status == 0
    assert table.read_bytes() == before
    assert f"{table}: is no report of assay and stays" in result.err
    assert result.out.endswith(f"{tmp_path}/fruit.html, {tmp_path}/fruit.md\n")


def test_no_face_is_written_where_one_cannot_be_rendered(model, tmp_path, monkeypatch):
    def broken(*args: object, **named: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("assay.report.markdown.render_markdown", broken)
    with pytest.raises(ZeroDivisionError):
        load(model).report(tmp_path / "a.html", tmp_path / "a.md")
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--report", "r.html", "--no-report"], "--report and --no-report contradict each other"),
        (["--report", "r.pdf"], "'.pdf' tells no format of a report"),
        (["--report", "m.assay"], "the report would overwrite another file"),
        (["--report", "nowhere/r.html"], "there is no such folder"),
    ],
)
def test_a_report_that_makes_no_sense_stops_before_training(
    run, fruit, tmp_path, monkeypatch, options, said
):
    monkeypatch.chdir(tmp_path)
    result = run("train", fruit, "--target", "fruit", "-o", "m.assay", *options)
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert list(tmp_path.iterdir()) == []
