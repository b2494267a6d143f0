"""Fits of another process are the fits: the same models, the same bytes of the file."""

import os
import subprocess
import sys
import warnings
from queue import Empty, SimpleQueue

import numpy as np
import polars as pl
import pytest
import scipy.sparse
import torch

import assay
from assay import estimator, side_process
from assay.candidates import begin_rivals, boosted, fit_rivals, shared
from assay.candidates.folds import Folds
from assay.candidates.kept import state_of_fits
from assay.candidates.work import Work
from assay.candidates.worker import answer, request
from assay.errors import InternalError
from assay.ledger import Ledger
from assay.side_process import SideProcess
from assay.state_file import packed, unpacked
from assay.training.history import Silent

FEW = 8  # iterations of boosting


def plain_table(rng, n_rows=120):
    """Return numbers with gaps and levels, few and many; no texts."""
    y = np.arange(n_rows) % 2
    return pl.DataFrame(
        {
            "x": rng.normal(size=n_rows) + y,
            "gaps": [None if idx % 4 == 0 else float(idx % 9) for idx in range(n_rows)],
            "few": rng.choice(["a", "b", "c"], n_rows),
            "many": [f"level {value}" for value in rng.integers(0, 15, n_rows)],
            "weight": rng.random(n_rows) + 0.1,
            "y": np.where(y, "yes", "no"),
        }
    )


class Aside:
    """Stands in for another process: all that is given goes through bytes."""

    def __init__(self, spoil=lambda arrays, document: None):
        self.pieces, self.spoil = {}, spoil

    def give(self, arrays, document):
        def send(name, state):
            self.pieces[name] = through_bytes(state)
            self.spoil(*self.pieces[name])

        answer(through_bytes((arrays, document)), send, SimpleQueue())
        return True

    def has(self, name):
        return name in self.pieces

    def read(self, name):
        return self.pieces.pop(name, None)

    def ask(self, document):
        return False  # it has ended

    def is_over(self):
        return True

    def close(self):
        pass

    def seconds_a_piece(self):
        return 0.0


def through_bytes(state):
    return unpacked(bytearray(b"".join(packed(*state))))


def same_bytes(one, other):
    assert [rival.name for rival in one] == [rival.name for rival in other]
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine.log_proba, theirs.log_proba)
        if mine.name != "majority":
            states = [state_of_fits(rival.name, rival.fits) for rival in (mine, theirs)]
            assert b"".join(packed(*states[0])) == b"".join(packed(*states[1]))


WEIGHTS = {"train.class_weight": "balanced", "train.sample_weight": "weight"}


@pytest.mark.parametrize("options", [{}, {"split.repeats": 2}, WEIGHTS])
def test_fits_made_from_arrays_are_the_fits(make, rng, options):
    setup, recipe = make(plain_table(rng), **options)
    expected = fit_rivals(setup, recipe, Ledger(), max_iterations=FEW)
    side = Aside()
    found = begin_rivals(setup, recipe, Ledger(), max_iterations=FEW, side=side).finish()
    assert side.pieces == {"boosting": ({}, {})}  # the fits were taken
    same_bytes(found, expected)


@pytest.mark.attack
def test_fits_that_do_not_fit_are_made_here(make, rng):
    setup, recipe = make(plain_table(rng))
    expected = fit_rivals(setup, recipe, Ledger(), max_iterations=FEW)
    side = Aside(lambda arrays, document: arrays.clear())
    found = begin_rivals(setup, recipe, Ledger(), max_iterations=FEW, side=side).finish()
    same_bytes(found, expected)


def test_work_comes_back_whole(make, rng):
    setup, recipe = make(plain_table(rng), **WEIGHTS)
    work = Work.of(setup, Folds.of(setup), recipe.seed)
    again = Work.from_state(*through_bytes(work.to_state()))
    assert again.seed == work.seed
    assert again.folds.members == work.folds.members
    for fit_idx, rows in enumerate(work.folds.train):
        np.testing.assert_array_equal(again.folds.train[fit_idx], rows)
        weights = [folds.weights(fit_idx, rows) for folds in (again.folds, work.folds)]
        np.testing.assert_array_equal(*weights)
        seen = [own.training.of(rows, fit_idx) for own in (again, work)]
        np.testing.assert_array_equal(*seen)


class Questions(SimpleQueue):
    """Holds questions, and ends whoever waits for more."""

    def get(self):
        return super().get_nowait()


@pytest.mark.parametrize("n_before", [1, 4])
def test_single_fits_are_made_when_they_are_asked_for(make, rng, n_before):
    setup, recipe = make(plain_table(rng))
    work, sent, inbox = Work.of(setup, Folds.of(setup), recipe.seed), [], Questions()
    fits = work.fit("boosting", most_rows=100, max_iterations=FEW)
    n_kept = fits.n_iterations
    wanted = [(0, None), (2, None), (1, None), *enumerate(n_kept)]

    def send(name, state):
        sent.append((name, state))
        if len(sent) == n_before:
            for fit_idx, own in wanted:
                inbox.put(({}, {"plan": 0, "fit": fit_idx, "n_kept": own}))

    with pytest.raises(Empty):
        answer(request(work, {"boosting": 100}, FEW), send, inbox)
    names = [name for name, _ in sent]
    assert sorted(names) == sorted(f"0.{fit_idx}.{own}" for fit_idx, own in wanted)
    in_turn = ["0.0.None", "0.1.None", "0.2.None", f"0.0.{n_kept[0]}"]
    assert names[:n_before] == in_turn[:n_before]
    found = dict(sent)
    for fit_idx, own in enumerate(n_kept):
        made = work.fits_of("boosting", state_of_fits("boosting", fits)).fits[fit_idx]
        expected = state_of_fits("boosting", type(fits)(work.training.features, (made,)))
        assert b"".join(packed(*found[f"0.{fit_idx}.{own}"])) == b"".join(packed(*expected))


@pytest.mark.filterwarnings("default")
def test_a_fit_with_a_warning_is_left_to_the_other_process(make, rng, monkeypatch):
    setup, recipe = make(plain_table(rng))
    work, sent = Work.of(setup, Folds.of(setup), recipe.seed), []
    fit = boosted.Plan.fit

    def warn(self, fit_idx):
        if fit_idx == 1:
            warnings.warn("odd", stacklevel=1)
        return fit(self, fit_idx)

    monkeypatch.setattr(boosted.Plan, "fit", warn)
    with pytest.raises(InternalError, match="odd"):
        answer(
            request(work, {"boosting": 100}, FEW), lambda *piece: sent.append(piece), SimpleQueue()
        )
    assert [name for name, _ in sent] == ["0.0.None"]


@pytest.mark.filterwarnings("default")
def test_a_warning_is_left_to_the_other_process(make, rng, monkeypatch):
    setup, recipe = make(plain_table(rng))
    work = Work.of(setup, Folds.of(setup), recipe.seed)
    monkeypatch.setattr(Work, "fit", lambda *args, **options: warnings.warn("odd", stacklevel=1))
    with pytest.raises(InternalError, match="odd"):
        answer(request(work, {"logistic": 100}, None), lambda name, state: None, None)


def test_the_process_loads_no_torch():
    program = (
        "import sys, assay.candidates.worker;print({'torch', 'jinja2', 'typer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


OPTIONS = {"train.epochs": 4, "model.hidden": [8], "split.folds": 3, "evaluate.bootstrap": 100}
BRIEF = {"evaluate.importance": False, "evaluate.findings": False}


@pytest.fixture
def beside(monkeypatch):
    """Let trainings of this process have another one beside them; return those begun."""
    monkeypatch.setattr(side_process, "_can_begin", lambda: True)
    monkeypatch.setattr(side_process, "_LEAST_PATIENCE_S", 60.0)
    monkeypatch.setattr(side_process, "_MOST_PATIENCE_S", 60.0)
    begun = []

    def begin(cls, module, own=SideProcess.begin):
        begun.append(own(module))
        return begun[-1]

    monkeypatch.setattr(SideProcess, "begin", classmethod(begin))
    monkeypatch.setattr(estimator, "_LOADED", set())
    return begun


def model_bytes(table, **options):
    return assay.train(table, "y", options={**OPTIONS, **options}).to_bytes()


def test_a_model_is_the_same_bytes_with_the_process_and_without(rng, beside, monkeypatch):
    table, asked = plain_table(rng), {}
    monkeypatch.setattr(shared, "_LEAST_LEFT_S", 1e9)  # nothing is taken over
    read = SideProcess.read
    monkeypatch.setattr(
        SideProcess, "read", lambda self, name: asked.setdefault(name, read(self, name))
    )
    beside_it = model_bytes(table)
    assert len(beside) == 1
    assert len(asked) == 1 + 6 + 6  # logistic regression, losses, and fits
    assert None not in asked.values()
    monkeypatch.setattr(estimator, "_LOADED", {"torch"})
    assert model_bytes(table) == beside_it
    assert len(beside) == 1


@pytest.mark.attack
def test_a_model_is_the_same_bytes_where_the_process_is_killed(rng, beside, monkeypatch):
    table, give = plain_table(rng), SideProcess.give

    def give_and_kill(self, arrays, document):
        is_given = give(self, arrays, document)
        self.process.kill()
        return is_given

    expected = model_bytes(table, **BRIEF)
    monkeypatch.setattr(SideProcess, "give", give_and_kill)
    assert model_bytes(table, **BRIEF) == expected
    monkeypatch.setattr(SideProcess, "give", lambda self, arrays, document: False)
    assert model_bytes(table, **BRIEF) == expected
    assert len(beside) == 3
    assert all(one.process.returncode is not None for one in beside)


@pytest.mark.parametrize(
    "options", [{"train.time": "30s"}, {"train.memory": "8G"}, {"model.candidates": []}]
)
def test_it_is_not_begun_where_it_does_not_pay(rng, beside, options):
    recipe = assay.Recipe().with_options({"target": "y", **options})
    with estimator._beside(plain_table(rng), recipe, None) as side:
        assert side is None
    assert beside == []


def test_only_small_tables_have_it(rng, tmp_path):
    small, large = plain_table(rng), pl.DataFrame({"x": np.zeros(100_001)})
    paths = [tmp_path / "small.csv", tmp_path / "large.csv", tmp_path / "none.csv"]
    small.write_csv(paths[0])
    paths[1].write_bytes(b"x" * (9 << 20))
    assert [estimator._is_small(path) for path in paths] == [True, False, False]
    assert [estimator._is_small(table) for table in (small, large)] == [True, False]
    columns = [table.to_dict(as_series=False) for table in (small, large)]
    assert [estimator._is_small(table) for table in columns] == [True, False]
    assert not estimator._is_small("postgresql://host/sales")
    assert not estimator._is_small(iter(()))


class Lazy:
    """Knows its rows, after hours."""

    def __len__(self):
        raise AssertionError("was worked out")


MISTAKES = [
    np.array(5.0),
    np.zeros(3),
    scipy.sparse.csr_matrix(np.eye(4)),
    Lazy(),
    None,
    5,
    {},
    {"x": 1},
    {"x": np.array(3.0)},
    {"x": Lazy()},
    "no\0path",
    pl.LazyFrame({"x": [1]}),
]


@pytest.mark.parametrize("table", MISTAKES, ids=lambda table: type(table).__name__)
@pytest.mark.attack
def test_what_is_no_table_is_told_of_as_ever(table):
    assert not estimator._is_small(table)
    if not isinstance(table, Lazy | dict):
        with pytest.raises(assay.UserError):
            assay.train(table, "y")


def test_every_table_at_hand_is_small(rng, tmp_path):
    table = plain_table(rng)
    rows, columns = table.rows(named=True), table.get_columns()
    series = {column.name: column for column in columns}
    arrays = {column.name: column.to_numpy() for column in columns}
    tables = [table, table.to_pandas(), table.to_arrow(), rows, series, arrays, np.zeros((9, 2))]
    assert all(map(estimator._is_small, tables))
    assert not estimator._is_small(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_by_name_may_hold_anything(tmp_path):
    os.mkfifo(tmp_path / "table.csv")
    assert not estimator._is_small(tmp_path / "table.csv")


class Stages(Silent):
    """Notes them."""

    def __init__(self):
        self.names = []

    def on_stage(self, name):
        self.names.append(name)


def stages_of(table):
    """Return the stages from the networks on."""
    observer = Stages()
    assay.train(table, "y", options={**OPTIONS, **BRIEF}, observer=observer)
    assert observer.names[2] == "fitting simpler models"
    return observer.names[3:]


def test_fits_that_are_waited_for_are_a_stage(rng, beside, monkeypatch):
    table = plain_table(rng)

    def wait(self, name):
        self._found[name] = self.read(name)
        return True

    monkeypatch.setattr(SideProcess, "has", wait)
    assert stages_of(table) == ["training", "evaluating"]
    monkeypatch.setattr(SideProcess, "has", lambda self, name: bool(self.close()))
    assert stages_of(table) == ["training", "fitting simpler models", "evaluating"]
    assert len(beside) == 2


def test_fits_are_at_hand_when_all_have_come(make, rng):
    setup, recipe = make(plain_table(rng))
    side = Aside()
    begun = begin_rivals(setup, recipe, Ledger(), max_iterations=FEW, side=side)
    assert begun.is_at_hand()
    side.pieces.pop("boosting")
    assert not begun.is_at_hand()


def test_texts_are_fitted_here(rng, beside):
    table = plain_table(rng).with_columns(
        text=pl.Series([f"a thing number {idx} of many words" for idx in range(120)])
    )
    model_bytes(table, **BRIEF, **{"kinds.text": "text"})
    assert len(beside) == 1


def test_fits_are_shared_before_steps_of_many_threads(rng, beside, monkeypatch):
    table, wide = plain_table(rng), {**BRIEF, "model.hidden": [2048], "train.epochs": 1}
    given, give = [], SideProcess.give

    def noting(self, arrays, document):
        given.append(document["is_helper"])
        return give(self, arrays, document)

    monkeypatch.setattr(SideProcess, "give", noting)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with_help = model_bytes(table, **wide)
        assert given == [True]
        monkeypatch.setattr(estimator, "_LOADED", {"torch"})
        assert model_bytes(table, **wide) == with_help
    finally:
        torch.set_num_threads(before)
    assert len(beside) == 1
