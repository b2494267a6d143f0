"""A second process hands back what it made, or nothing; and it is gone afterwards."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from assay import side_process
from assay.side_process import SideProcess

# `answer` is what a test lets it do.
PROGRAM = """
    import os, sys, time
    from assay.side_process import serve

    def prepare():
        {prepare}

    def answer(work, send, inbox):
        arrays, document = work
        {answer}

    def main():
        serve(prepare, answer)
"""
WORK = {"x": np.arange(5.0)}, {"times": 3}
GIVEN_UP_S = 20.0  # no test takes as long


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a process that does as is said; it is closed afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(side_process, "_can_begin", lambda: True)
    monkeypatch.setattr(side_process, "_LEAST_PATIENCE_S", 60.0)
    monkeypatch.setattr(side_process, "_MOST_PATIENCE_S", 60.0)
    begun = []

    def begin_it(answer="pass", prepare="pass"):
        name = f"program_{len(begun)}"
        text = textwrap.dedent(PROGRAM).format(answer=answer, prepare=prepare)
        (tmp_path / f"{name}.py").write_text(text)
        begun.append(SideProcess.begin(name))
        return begun[-1]

    yield begin_it
    for one in begun:
        one.close()
        with pytest.raises(psutil.NoSuchProcess):  # not even as a zombie
            psutil.Process(one.process.pid)


ANSWER = "send('more', ({'x': arrays['x'] * document['times']}, {'pid': os.getpid()}))"


def test_what_it_makes_comes_back(begin):
    side = begin(f"{ANSWER}; send('last', ({{}}, {{}}))")
    assert side.give(*WORK)
    assert side.read("last") == ({}, {})
    arrays, document = side.read("more")
    np.testing.assert_array_equal(arrays["x"], np.arange(5.0) * 3)
    assert document == {"pid": side.process.pid}
    assert side.read("more") is None  # it is handed over once


def test_large_work_is_taken_while_it_is_still_preparing(begin):
    side = begin(ANSWER, prepare="time.sleep(0.5)")
    began_s = time.monotonic()
    assert side.give({"x": np.zeros(1 << 20)}, {"times": 1})
    assert time.monotonic() - began_s < 0.4
    assert side.read("more")[0]["x"].shape == (1 << 20,)


@pytest.mark.parametrize(
    "answer",
    [
        "os._exit(3)",
        "raise ValueError",
        "os.write(1, b'garbage' * 99)",
        "os.write(1, (99).to_bytes(8, 'little') + b'x' * 99)",
        "os.write(1, (1 << 62).to_bytes(8, 'little'))",
        "send('other', ({}, {}))",
        "os.close(1); time.sleep(99)",
    ],
)
@pytest.mark.attack
def test_nothing_comes_of_one_that_fails(begin, answer):
    side = begin(answer)
    assert side.give(*WORK)
    assert side.read("more") is None
    assert side.read("more") is None


def test_what_came_before_it_died_counts(begin):
    side = begin(f"{ANSWER}; os._exit(9)")
    side.give(*WORK)
    assert side.read("last") is None
    assert side.read("more") is not None


@pytest.mark.attack
def test_one_that_hangs_is_not_waited_for_long(begin, monkeypatch):
    monkeypatch.setattr(side_process, "_LEAST_PATIENCE_S", 0.2)
    side = begin("time.sleep(99)")
    side.give(*WORK)
    began_s = time.monotonic()
    assert not side.has("more")
    assert side.process.poll() is None
    assert side.read("more") is None
    assert side.process.wait(GIVEN_UP_S)  # it takes no processor from us
    assert side.read("last") is None
    assert time.monotonic() - began_s < GIVEN_UP_S


def test_one_that_works_is_waited_for(begin, monkeypatch):
    for name in ("_LEAST_PATIENCE_S", "_MOST_PATIENCE_S"):
        monkeypatch.setattr(side_process, name, 0.2)
    side = begin(f"any(time.process_time() > 1.0 for _ in iter(int, 1)); {ANSWER}")
    side.give(*WORK)
    assert side.read("more") is not None


def test_more_can_be_asked_for(begin):
    side = begin("for _, document in iter(inbox.get, 0): send(document['name'], ({}, document))")
    assert side.give(*WORK)
    assert side.ask({"name": "one"})
    assert side.ask({"name": "two"})
    assert side.read("two") == ({}, {"name": "two"})
    assert side.read("one") == ({}, {"name": "one"})
    side.process.kill()
    assert side.read("three") is None
    assert not side.ask({"name": "three"})


@pytest.mark.skipif(os.name != "posix", reason="SIGSTOP")
@pytest.mark.attack
def test_one_that_never_takes_its_work_is_not_asked_for_long(begin, monkeypatch):
    for name in ("_LEAST_PATIENCE_S", "_MOST_PATIENCE_S"):
        monkeypatch.setattr(side_process, name, 0.2)
    side = begin(ANSWER)
    side.process.send_signal(signal.SIGSTOP)
    assert side.give({"x": np.zeros(1 << 16)}, {"times": 1})  # more than a pipe takes
    began_s = time.monotonic()
    assert not side.ask({"name": "one"})
    assert side.read("one") is None
    assert side.is_over()
    assert time.monotonic() - began_s < GIVEN_UP_S


@pytest.mark.attack
def test_patience_has_an_end_after_hours(begin, monkeypatch):
    monkeypatch.setattr(side_process, "_MOST_PATIENCE_S", 0.2)
    side = begin("time.sleep(99)")
    side.give(*WORK)
    side._given_s -= 3600.0
    began_s = time.monotonic()
    assert side.read("more") is None
    assert time.monotonic() - began_s < GIVEN_UP_S


def test_what_is_there_is_known(begin):
    side = begin(f"{ANSWER}; send('last', ({{}}, {{}}))")
    assert not side.has("last")
    side.give(*WORK)
    assert side.read("last") is not None
    assert side.has("more")
    assert side.read("more") is not None
    assert not side.has("more")


@pytest.mark.attack
def test_one_that_never_reads_is_closed_all_the_same(begin):
    side = begin(prepare="os.kill(os.getpid(), 19)" if os.name == "posix" else "time.sleep(99)")
    side.give({"x": np.zeros(1 << 20)}, {})
    time.sleep(0.1)
    began_s = time.monotonic()
    side.close()
    side.close()
    assert time.monotonic() - began_s < GIVEN_UP_S


def test_what_libraries_print_is_no_answer(begin, capfd):
    side = begin(f"print('hello'); print('there', file=sys.stderr); {ANSWER}")
    side.give(*WORK)
    assert side.read("more") is not None
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
@pytest.mark.attack
def test_ctrl_c_passes_it_by(begin):
    side = begin(ANSWER, prepare="send = os.kill(os.getpid(), 2)")
    side.give(*WORK)
    assert side.read("more") is not None


@pytest.mark.parametrize("program", ["", None, "/nowhere/python3", "/bin/sh", "/opt/editor"])
@pytest.mark.attack
def test_without_a_plain_python_there_is_none(monkeypatch, program):
    monkeypatch.setattr(side_process, "n_processors", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(sys, "executable", program)
    assert SideProcess.begin("program") is None


def test_it_needs_a_second_processor_and_memory(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(side_process, "n_processors", lambda: 2)
    monkeypatch.setattr(side_process, "free_bytes", lambda: 8 << 30)
    assert side_process._can_begin()
    for name, value in (("n_processors", 1), ("free_bytes", 1 << 29)):
        with monkeypatch.context() as less:
            less.setattr(side_process, name, lambda value=value: value)
            assert not side_process._can_begin()
    with monkeypatch.context() as less:
        less.setenv("OMP_NUM_THREADS", "1")
        assert not side_process._can_begin()
    with monkeypatch.context() as less:
        less.setattr(sys, "frozen", True, raising=False)
        assert not side_process._can_begin()


def test_files_of_the_working_directory_are_not_run(begin, tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "json.py").write_text("import os; os._exit(7)")
    monkeypatch.chdir(folder)
    side = begin(ANSWER)
    side.give(*WORK)
    assert side.read("more") is not None


PARENT = """
    import sys, time
    from assay import side_process
    sys.path.insert(0, {folder!r})
    side_process._can_begin = lambda: True
    side = side_process.SideProcess.begin("program")
    if {is_given}:
        side.give({{}}, {{}})
    print(side.process.pid, flush=True)
    time.sleep(99)
"""


@contextmanager
def family(program: str) -> Iterator[tuple["subprocess.Popen[bytes]", psutil.Process]]:
    """Run a program that prints the number of the process it begins; yield both."""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        yield parent, psutil.Process(int(parent.stdout.readline()))


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize(
    ("how", "is_given"), [("SIGKILL", False), ("SIGKILL", True), ("SIGINT", True)]
)
@pytest.mark.attack
def test_it_ends_with_the_one_that_began_it(tmp_path: Path, how, is_given):
    text = textwrap.dedent(PROGRAM).format(prepare="pass", answer="time.sleep(99)")
    (tmp_path / "program.py").write_text(text)
    program = textwrap.dedent(PARENT).format(folder=str(tmp_path), is_given=is_given)
    with family(program) as (parent, child):
        parent.send_signal(getattr(signal, how))
        parent.wait()
    assert psutil.wait_procs([child], timeout=GIVEN_UP_S)[1] == []


FORKED = PARENT.replace("time.sleep(99)", "time.sleep(9 if os.fork() else 99)").replace(
    "import sys", "import os, sys"
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
@pytest.mark.attack
def test_a_fork_of_the_parent_does_not_keep_it(tmp_path):
    text = textwrap.dedent(PROGRAM).format(prepare="time.sleep(99)", answer="pass")
    (tmp_path / "program.py").write_text(text)
    program = textwrap.dedent(FORKED).format(folder=str(tmp_path), is_given=False)
    with family(program) as (parent, child):
        while not (forks := set(psutil.Process(parent.pid).children()) - {child}):
            time.sleep(0.01)
        while child.num_threads() < 3:  # it listens and watches
            time.sleep(0.01)
        parent.kill()
        is_left = psutil.wait_procs([child], timeout=GIVEN_UP_S)[1]
        for fork in forks:  # it holds the pipes of both
            assert fork.is_running()
            fork.kill()
    assert is_left == []


DEAD = """
    import signal, threading
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    import numpy as np
    from assay import side_process
    side_process._can_begin = lambda: True
    for n_values in (1, 1 << 20):
        side = side_process.SideProcess.begin("no.such.program")
        side.process.wait()
        side.give({"x": np.zeros(n_values)}, {})
        asking = threading.Thread(target=side.ask, args=({},))
        asking.start()
        asking.join()
        assert side.read("more") is None
        side.close()
    print("lives")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="SIGPIPE")
@pytest.mark.attack
def test_its_death_is_not_ours_where_broken_pipes_kill():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DEAD)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "lives\n"), done.stderr


ELSEWHERE = """
    import os, sys
    from assay import side_process
    side_process._can_begin = lambda: True
    side_process._LEAST_PATIENCE_S = side_process._MOST_PATIENCE_S = 60.0
    sys.path[0:0] = ["", "here"]
    sys.path.append({folder!r})
    os.chdir({evil!r})
    side = side_process.SideProcess.begin("program")
    side.give({{}}, {{}})
    print(side.read("more"))
    side.close()
"""


@pytest.mark.parametrize("flags", [["-I"], ["-E"], []])
@pytest.mark.attack
def test_it_runs_no_file_that_the_parent_does_not(tmp_path, flags):
    """Neither of the environment, which a parent may be deaf to, nor of where it went to."""
    evil, folder = tmp_path / "evil", tmp_path / "folder"
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')"
    for place in (evil, evil / "here", folder):
        place.mkdir()
    for place in (evil, evil / "here"):
        for name in ("sitecustomize", "usercustomize", "program", "json", "numpy"):
            (place / f"{name}.py").write_text(trap)
    text = textwrap.dedent(PROGRAM).format(
        prepare="pass", answer="send('more', ({}, {'ok': True}))"
    )
    (folder / "program.py").write_text(text)
    program = textwrap.dedent(ELSEWHERE).format(folder=str(folder), evil=str(evil))
    environment = {**os.environ, "PYTHONPATH": str(evil) if flags else ""}
    done = subprocess.run(
        [sys.executable, *flags, "-c", program], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "({}, {'ok': True})\n", done.stderr
    assert not (tmp_path / "sprung").exists()


@pytest.mark.attack
def test_another_release_on_the_way_is_not_taken(begin, tmp_path):
    package, own = tmp_path / "assay", Path(side_process.__file__)
    package.mkdir()
    (package / "__init__.py").write_text(f"__path__.append({str(own.parent)!r})")
    (package / own.name).write_bytes(own.read_bytes())  # it would serve
    side = begin(ANSWER)  # `tmp_path` is first in `sys.path`
    side.give(*WORK)
    assert side.read("more") is None
