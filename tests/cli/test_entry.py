"""Exit statuses, one-line errors, and what a verb does not import."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.cli import entry
from assay.version import __version__

Run = Callable[..., object]
PRINT_HEAVY = """
import sys
from assay.cli import main
status = main()
heavy = "torch sklearn pandas duckdb polars numpy rich onnxruntime".split()
print([name for name in heavy if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""


def test_version_is_told(run):
    result = run("--version")
    assert (result.status, result.out, result.err) == (0, f"assay {__version__}\n", "")


def test_the_package_runs_as_the_command():
    command = [sys.executable, "-m", "assay", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, f"assay {__version__}\n", "")
    refused = subprocess.run([*command[:3], "no-such"], capture_output=True, check=False)
    assert refused.returncode == 2


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_verb(run, option):
    result = run(option)
    assert result.status == 0
    for verb in ("train", "predict", "evaluate", "inspect", "show", "recipe", "demo"):
        assert f"  {verb} " in result.out


@pytest.mark.parametrize(
    "verb", ["train", "predict", "evaluate", "inspect", "show", "recipe", "demo"]
)
def test_every_verb_has_help(run, verb):
    result = run(verb, "-h")
    assert result.status == 0
    assert result.out.startswith(f"Usage: assay {verb}")


def test_no_verb_is_bad_usage_and_shows_help(run):
    result = run()
    assert (result.status, result.out) == (2, "")
    assert "Commands:" in result.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["train"], "Missing argument 'TABLE'."),
        (["train", "x.csv", "--frob"], "No such option: --frob"),
        (["train", "x.csv", "--seed", "one"], "Invalid value for '--seed'"),
        (["show"], "Missing argument 'MODEL'."),
    ],
)
def test_bad_usage_is_one_line_and_status_2(run, args, said):
    result = run(*args)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("assay: ")
    assert said in result.err
    assert result.err.count("\n") == 1


def test_user_error_is_one_line_and_status_2(run, tmp_path):
    result = run("show", tmp_path / "nothing.assay")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("assay: ")
    assert result.err.count("\n") == 1


def test_unexpected_error_is_one_line_and_status_1(run, monkeypatch):
    def fail(_):
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr(entry, "_dispatch", fail)
    result = run("--version")
    assert result.status == 1
    assert result.err == (
        "assay: internal error: ZeroDivisionError: nobody expected this. "
        "Set ASSAY_DEBUG=1 to see where, and please report it.\n"
    )


def test_a_panic_of_a_library_is_one_line_and_status_1(run, monkeypatch):
    def panic(_):
        raise type("PanicException", (BaseException,), {})("not yet implemented")

    monkeypatch.setattr(entry, "_dispatch", panic)
    result = run("--version")
    assert result.status == 1
    assert result.err.startswith("assay: internal error: PanicException: not yet implemented. ")
    assert result.err.count("\n") == 1


def test_debug_shows_the_traceback(run, monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_DEBUG", "1")
    result = run("show", tmp_path / "nothing.assay")
    assert result.status == 2
    assert "Traceback (most recent call last)" in result.err


def test_control_characters_in_a_message_do_not_reach_the_terminal(run):
    result = run("show", "a\x1b[31mb\nc.assay")
    assert result.status == 2
    assert "\x1b" not in result.err
    assert result.err.count("\n") == 1


def test_interrupt_is_status_130(run, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_dispatch", interrupt)
    result = run("--version")
    assert (result.status, result.err) == (130, "assay: interrupted\n")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupted_training_leaves_its_run_alone(start, fruit, tmp_path, quick):
    args = ["train", fruit, "--target", "fruit", "-o", tmp_path / "m.assay", *quick]
    args += ["--set", "train.epochs=100000", "--set", "train.patience=0"]
    process = start(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = [
        process.stderr.readline() for _ in range(4)
    ]  # three lines of stages, and the first epoch
    assert seen[-1].startswith(b"epoch 1/100000")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b""
    offer = f"what was done so far is kept; go on with: assay resume {tmp_path}/m.assay.run\n"
    assert err.endswith(f"assay: interrupted: {offer}".encode())
    assert b"Traceback" not in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.assay.run"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("args", "status"), [(None, -signal.SIGINT), ([], 130)])
def test_interrupt_after_the_work_shows_no_traceback(start, args, status):
    given = "" if args is None else '["--version"]'
    code = f"""
import os, signal, sys, time
from assay.cli import main
status = main({given})
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(20)
except KeyboardInterrupt:  # only a caller in Python keeps its own way
    status = 130
sys.exit(status)
"""
    process = start("--version", code=code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out.strip(), err) == (status, f"assay {__version__}".encode(), b"")


@pytest.mark.parametrize("module", ["assay.cli.entry", "assay.cli.app"])
def test_interrupt_while_starting_shows_no_traceback(start, module):
    code = f"""
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from assay.cli import main
sys.exit(main())
"""
    process = start("--version", code=code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert err in (b"", b"assay: interrupted\n")


def test_a_second_interrupt_is_quiet(run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_dispatch", interrupt)
    monkeypatch.setattr(entry, "_tell", interrupt)
    assert run("--version").status == 130


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("error", ["KeyboardInterrupt", "ValueError", "StoppedError('x', 143)"])
@pytest.mark.parametrize("is_told", [True, False])
def test_an_interrupt_while_what_was_in_use_is_let_go_is_quiet(start, error, is_told):
    code = f"""
import os, signal, sys, time
from assay.cli import entry
from assay.cli.job import StoppedError
class Held:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)
def dispatch(args):
    held = Held()
    raise {error}
def interrupt(*args):
    raise KeyboardInterrupt
entry._dispatch = dispatch
if not {is_told}:
    entry._tell = interrupt
sys.exit(entry.main())
"""
    process = start("--version", code=code, stderr=subprocess.PIPE)
    err = process.communicate(timeout=30)[1]
    assert process.returncode == -signal.SIGINT
    assert err.count(b"\n") == is_told
    assert b"ignored" not in err


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_closed_pipe_ends_quietly(start, model, fruit):
    reading, writing = os.pipe()
    os.close(reading)
    process = start("predict", model, fruit, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"Traceback" not in err
    assert b"Broken" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_at_standard_output_is_told(start, model, fruit):
    with open("/dev/full", "wb") as full:
        process = start("predict", model, fruit, stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert b"standard output: cannot write: No space left on device" in err


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["train", "--help"]])
def test_help_imports_nothing_heavy(start, args):
    process = start(*args, code=PRINT_HEAVY, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err.decode().strip()) == (0, "[]")


def test_predicting_one_record_imports_no_training_library(start, model):
    record = '{"weight": 85.0, "colour": "red"}'
    process = start(
        "predict", model, "--record", record,
        code=PRINT_HEAVY, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, err = process.communicate(timeout=30)
    imported = err.decode().splitlines()[-1]
    assert process.returncode == 0
    for name in ("torch", "sklearn", "pandas", "duckdb"):
        assert name not in imported


def test_inspect_and_show_import_no_torch(start, model, fruit):
    for args in (["inspect", fruit], ["show", model]):
        process = start(*args, code=PRINT_HEAVY, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "torch" not in err.decode().splitlines()[-1]


def test_completion_script_is_printed(start):
    # Else typer asks which shell has begun this, which may be one it does not know.
    env = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start("--show-completion", "bash", env=env, **pipes)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"_assay_completion" in out


def _on_a_terminal(start, args, env) -> str:
    """Run a command whose standard output is a terminal; return what it shows."""
    import pty

    ours, theirs = pty.openpty()
    process = start(*args, env=env, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_colours_only_on_a_terminal_and_never_with_no_color(start, model, run):
    plain = {"NO_COLOR": "1", "TERM": "xterm"}
    coloured = {"NO_COLOR": "", "TERM": "xterm"}
    assert "\x1b[" in _on_a_terminal(start, ["show", model], coloured)
    assert "\x1b[" not in _on_a_terminal(start, ["show", model], plain)
    assert "\x1b[" not in run("show", model).out
