"""How a training goes on, told on standard error."""

import io
import sys
import time

import pytest

from assay.cli.progress import Bar, Lines, Quiet, console_progress, make_reporter, spacing


@pytest.mark.parametrize("n_epochs", [1, 2, 12, 19, 50, 64, 99, 1000, 12345, 100000])
def test_lines_are_few_with_first_and_last(n_epochs, capsys):
    reporter = Lines()
    for epoch in range(1, n_epochs + 1):
        reporter.on_epoch(epoch, n_epochs, log_loss=0.5, is_validation=True)
    reporter.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 20
    assert lines[0].startswith(f"epoch 1/{n_epochs}  validation log loss 0.5000  elapsed 0 s")
    assert lines[-1].startswith(f"epoch {n_epochs}/{n_epochs}")


def test_lines_tell_elapsed_and_remaining_time(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 12.0, 72.0])  # start, two stages, two epochs
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    reporter = Lines()
    reporter.on_stage("reading")
    reporter.on_stage("training")
    reporter.on_epoch(1, 8, log_loss=0.5, is_validation=True)
    reporter.on_epoch(7, 8, log_loss=0.5, is_validation=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[2].endswith("0.5000  elapsed 12 s, about 1 min 10 s left")
    assert lines[3].endswith("0.5000  elapsed 1 min 12 s, about 10 s left")


def test_training_cut_short_still_tells_its_last_epoch(capsys):
    reporter = Lines()
    for epoch in range(1, 24):
        reporter.on_epoch(epoch, 64, log_loss=0.5, is_validation=False)
    reporter.on_stage("evaluating")
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2].startswith("epoch 23/64  training loss")
    assert lines[-1] == "evaluating"


def test_the_plan_of_a_budget_is_a_line_of_its_own(capsys):
    reporter = Lines()
    reporter.on_stage("reading")
    reporter.on_stage("training")
    reporter.on_plan("7 of 64 epochs in about 8 s")
    reporter.on_epoch(1, 7, log_loss=0.5, is_validation=True)
    assert capsys.readouterr().err.splitlines()[2] == "7 of 64 epochs in about 8 s"
    Quiet().on_plan("7 of 64 epochs")
    assert capsys.readouterr().err == ""


def test_spacing_is_round():
    assert [spacing(n) for n in (1, 18, 19, 64, 100, 1000, 100000)] == [1, 1, 2, 5, 10, 100, 10000]


def test_no_terminal_means_lines_and_quiet_means_nothing(capsys):
    assert isinstance(make_reporter(is_quiet=False), Lines)
    quiet = make_reporter(is_quiet=True)
    assert isinstance(quiet, Quiet)
    quiet.on_stage("reading")
    quiet.on_epoch(1, 1, log_loss=0.0, is_validation=True)
    quiet.close()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    reporter = make_reporter(is_quiet=False)
    reporter.close()
    assert isinstance(reporter, Bar)


def test_bar_shows_stage_epoch_and_loss_in_80_columns():
    from rich.console import Console

    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=80, color_system=None)
    bar = Bar(console_progress(console))
    bar.on_stage("training")
    bar.on_plan("all 1000 epochs in about 8 s")
    bar.on_epoch(100, 1000, log_loss=0.7312, is_validation=True)
    bar._progress.refresh()
    bar.close()
    assert "training" in shown.getvalue()
    assert "all 1000 epochs in about 8 s" in shown.getvalue()
    assert "100/1000  validation log loss 0.7312" in shown.getvalue()
    assert "left" in shown.getvalue()


def test_the_time_left_of_a_resumed_training_is_by_its_own_epochs(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 11.0, 31.0])  # start, stage, two epochs
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    reporter = Lines()
    reporter.on_stage("training")
    reporter.on_epoch(92, 120, log_loss=0.5, is_validation=True)
    reporter.on_epoch(100, 120, log_loss=0.5, is_validation=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1].startswith("epoch 92/120 ")  # the first of this attempt is told
    assert lines[1].endswith("elapsed 11 s, about 4 min 40 s left")
    assert lines[2].endswith("elapsed 31 s, about 1 min 7 s left")


def test_a_bar_does_not_count_the_epochs_of_an_earlier_attempt():
    from rich.console import Console

    progress = console_progress(Console(file=io.StringIO(), force_terminal=True, width=80))
    seconds = [0.0]
    progress.get_time = lambda: seconds[0]
    bar = Bar(progress)
    bar.on_stage("training")
    for epoch in (92, 93, 94):
        seconds[0] += 10.0
        bar.on_epoch(epoch, 100, log_loss=0.5, is_validation=True)
    left_s = progress.tasks[0].time_remaining
    bar.close()
    assert left_s == pytest.approx(60, abs=1)
