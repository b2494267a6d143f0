"""A training goes on to the same bytes, and only with what it was begun with."""

import polars as pl
import pytest

import assay
import assay.pipeline
from assay.fingerprint import confirm, on_threads_of
from assay.run_folder import open_run
from assay.training.device import count_threads, on_threads

OPTIONS = {"train.epochs": 6, "model.hidden": [8], "split.folds": 2, "evaluate.bootstrap": 100}


WILD = {
    "train.learning_rate": 1e30,
    "train.optimizer": "sgd",
    "train.schedule": "constant",
    "train.epochs": 20,
}


class KilledError(BaseException):
    """The process ends here."""


def table(n_rows=90):
    rows = range(n_rows)
    return pl.DataFrame(
        {
            "x": [float(idx % 17) for idx in rows],
            "level": [f"l{idx % 12}" for idx in rows],
            "y": ["yes" if idx % 17 > 7 else "no" for idx in rows],
        }
    )


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "table.csv"
    table().write_csv(path)
    return path


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """Train until all is done but the judging, and die."""

    def _killed(source, **options):
        def die(*args, **named):
            raise KilledError

        with monkeypatch.context() as patch:
            patch.setattr(assay.pipeline, "judge_training", die)
            with pytest.raises(KilledError):
                train(source, tmp_path, **options)
        assert (tmp_path / "run" / "boosting.state").exists()

    return _killed


def train(source, tmp_path, *, options=None, **named):
    chosen = {**OPTIONS, **(options or {})}
    return assay.train(source, "y", options=chosen, run=tmp_path / "run", **named)


def test_a_training_goes_on_to_the_same_bytes_and_leaves_no_folder(csv, tmp_path, killed):
    whole = assay.train(csv, "y", options=OPTIONS).to_bytes()
    killed(csv)
    assert train(csv, tmp_path, resume=True).to_bytes() == whole
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]
    assert train(csv, tmp_path, resume=True).to_bytes() == whole  # nothing to go on with: begins


def test_a_frame_and_a_test_table_go_on_too(csv, tmp_path, killed):
    frame, test = table(), table(40)
    whole = assay.train(frame, "y", options=OPTIONS, test=test).to_bytes()
    killed(frame, test=test)
    with pytest.raises(assay.UserError, match="begun with a test table"):
        train(frame, tmp_path, resume=True)
    with pytest.raises(assay.UserError, match="test table had 40 rows when it began, and has 41"):
        train(frame, tmp_path, test=table(41), resume=True)
    assert train(frame, tmp_path, test=test, resume=True).to_bytes() == whole


def test_an_unfinished_training_is_not_overwritten(csv, tmp_path, killed):
    killed(csv)
    with pytest.raises(assay.UserError, match="Go on with resume=True"):
        train(csv, tmp_path)


def test_what_differs_is_named(csv, tmp_path, killed):
    killed(csv)

    def refused(source, what, **named):
        with pytest.raises(assay.UserError, match=f"cannot go on: {what}"):
            train(source, tmp_path, resume=True, **named)

    refused(csv, "train.epochs was 6 when it began, and is 7", options={"train.epochs": 7})
    refused(csv, "seed was the default when it began, and is 3", options={"seed": 3})
    refused(csv, "it was begun without a test table", test=table(40))
    whole = csv.read_text()
    changes = (
        (whole + "1.0,l3,no\n", "the table had 90 rows when it began, and has 91"),
        (whole.replace("level", "floor"), "the table has changed: column 'level' is gone and "),
        (whole.replace("\n16.0,", "\n15.5,"), "the table has other contents"),
        (whole + "\n", "the table reads the same, but it is another file: 1004 bytes, now 1005 "),
    )
    for text, what in changes:
        csv.write_text(text)
        refused(csv, what)
    csv.write_text(whole)
    train(csv, tmp_path, resume=True)


def test_another_release_or_processor_is_named(tmp_path):
    before = {
        "recipe": {},
        "release": {"assay": "0.1.0", "torch": "2.13.0"},
        "device": {"device": "cpu", "processor": "AVX512"},
    }
    run = open_run(tmp_path / "run", recipe="")
    confirm(run, "settings", before)
    run.write("training", {}, {})
    run.leave()
    run = open_run(tmp_path / "run", recipe="", start="resume")
    confirm(run, "settings", before)
    for part, key, value in (
        ("release", "torch", "2.14.0"),
        ("device", "processor", "AVX2"),
    ):
        now = {**before, part: {**before[part], key: value}}
        with pytest.raises(assay.UserError, match=f'{key} was .* when it began, and is "{value}'):
            confirm(run, "settings", now)
    (tmp_path / "run" / "table.state").unlink(missing_ok=True)
    with pytest.raises(assay.UserError, match=r"its record table\.state is gone\. Put it back, or"):
        confirm(run, "table", {"rows": 1})
    run.remove()


def test_a_training_goes_on_with_the_threads_it_was_begun_with(csv, tmp_path, killed, monkeypatch):
    whole = assay.train(csv, "y", options=OPTIONS).to_bytes()
    before, learn, told = count_threads(), assay.pipeline.train_population, []
    began = {"torch": before["torch"] + 1, "blas": before["blas"] + 1}
    with on_threads(began):
        killed(csv)

    def learnt(*args, **named):
        told.append(count_threads())
        return learn(*args, **named)

    monkeypatch.setattr(assay.pipeline, "train_population", learnt)
    assert train(csv, tmp_path, resume=True).to_bytes() == whole
    assert told == [began]
    assert count_threads() == before


def test_another_number_of_threads_of_polars_is_refused_with_what_to_set(
    csv, tmp_path, killed, monkeypatch
):
    n_threads = pl.thread_pool_size()
    killed(csv)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: n_threads + 1)
    with pytest.raises(assay.UserError, match=f"threads was {n_threads} when it began") as caught:
        train(csv, tmp_path, resume=True)
    assert caught.value.fix.startswith(f"Set POLARS_MAX_THREADS={n_threads}, or begin anew")
    with pytest.raises(assay.UserError, match="seed was") as caught:
        train(csv, tmp_path, resume=True, options={"seed": 3})
    assert "POLARS" not in caught.value.fix


@pytest.mark.attack
@pytest.mark.parametrize("threads", [None, [], {"torch": 1}, {"torch": 0, "blas": 10**9}])
def test_a_record_without_threads_is_refused(tmp_path, threads):
    settings = {"recipe": {}, "release": {}, "device": {}, "threads": threads}
    run = open_run(tmp_path / "run", recipe="")
    confirm(run, "settings", settings)
    run.write("training", {}, {})
    run.leave()
    run = open_run(tmp_path / "run", recipe="", start="resume")
    with pytest.raises(assay.UserError, match="number of threads"), on_threads_of(run):
        pass
    run.remove()


def test_a_mistake_leaves_no_folder(csv, tmp_path):
    for options in ({"drop": ["none"]}, WILD):
        with pytest.raises(assay.UserError):
            train(csv, tmp_path, options=options)
        assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]
