"""Atomic writing: the old file or the new one, whole, whatever happens."""

import os
import resource
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from assay.errors import UserError
from assay.files import atomic_write, check_writable


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_write(path) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_an_absent_folder_is_a_one_line_error(tmp_path):
    with (
        pytest.raises(UserError, match="no: there is no such folder"),
        atomic_write(tmp_path / "no" / "a.bin"),
    ):
        pass


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match="is a folder"), atomic_write(tmp_path):
        pass


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="no ordinary file"), atomic_write(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    program = (
        "import resource\n"
        "from assay.errors import UserError\n"
        "from assay.files import atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    with atomic_write('a.bin') as file:\n"
        "        file.write(b'x' * 5000)\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    assert "a.bin: cannot write: File too large" in printed_by(program, tmp_path)
    assert os.listdir(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_written_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    with atomic_write(tmp_path / "ours"):
        pass
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_private_file_stays_private(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with atomic_write(path) as file:
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.attack
def test_what_a_killed_process_left_goes_with_the_next_file(tmp_path):
    program = (
        "import os, signal\n"
        "from assay.files import atomic_write\n"
        "with atomic_write('a.bin') as file:\n"
        "    file.write(b'half')\n"
        "    file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=False)
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".a.bin.")
    others = [".a.bin.part", ".a.bin.1.x.part", ".b.bin.7.01234567.part"]
    for name in others:
        (tmp_path / name).write_bytes(b"somebody's")
    with atomic_write(tmp_path / "a.bin") as file:
        file.write(b"whole")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "a.bin"])


@pytest.mark.attack
def test_a_file_being_written_is_not_swept(tmp_path):
    path = tmp_path / "a.bin"
    with atomic_write(path) as first:
        first.write(b"first")
        with atomic_write(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.attack
def test_threads_that_write_one_file_leave_one_of_theirs_whole(tmp_path):
    path = tmp_path / "a.bin"

    def write(mark: bytes) -> None:
        for _ in range(30):
            with atomic_write(path) as file:
                for _ in range(50):
                    file.write(mark * 100)

    threads = [threading.Thread(target=write, args=(mark,)) for mark in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in (b"a" * 5000, b"b" * 5000, b"c" * 5000)
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.attack
@pytest.mark.parametrize(
    "name",
    [
        "x" * 250,
        "ж" * 120,
        "two\nlines",
        "\U0001f600",
        "\u202egpj.exe",
        "bad\udcff",
        ".part",
        " ",
        "-o",
        "a.part",
    ],
    ids=range(10),
)
def test_names_that_a_file_may_have(tmp_path, name):
    with atomic_write(tmp_path / name) as file:
        file.write(b"new")
    assert (tmp_path / name).read_bytes() == b"new"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.attack
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 256, "File name too long"),
        ("a\0b", "is no name of a file"),
        ("half \ud800", "is no name of a file"),
        ("loop", "symbolic links"),
        ("nowhere", "there is no such folder"),
        ("plain/a", "is not a folder"),
        ("", "is a folder"),
    ],
)
def test_places_where_no_file_can_be(tmp_path, name, said):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent" / "a")
    (tmp_path / "plain").write_bytes(b"")
    with pytest.raises(UserError, match=said):
        check_writable(tmp_path / name if name else tmp_path)
    with pytest.raises(UserError, match=said), atomic_write(f"{tmp_path}/{name}"):
        pass
    assert sorted(os.listdir(tmp_path)) == ["loop", "nowhere", "plain"]


@pytest.mark.attack
def test_a_link_laid_in_the_way_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "victim").write_bytes(b"theirs")
    monkeypatch.setattr(os, "urandom", lambda n: bytes(n))
    (tmp_path / f".a.{os.getpid()}.00000000.part").symlink_to(tmp_path / "victim")
    with pytest.raises(UserError, match="File exists"), atomic_write(tmp_path / "a") as file:
        file.write(b"ours")
    assert (tmp_path / "victim").read_bytes() == b"theirs"


@pytest.mark.attack
def test_a_folder_and_a_file_that_one_may_not_write_are_one_line():
    program = (
        "import os\n"
        "from assay.errors import UserError\n"
        "from assay.files import atomic_write\n"
        "if os.getuid() == 0:\n"
        "    os.setresuid(65534, 65534, 65534)\n"  # root may write anywhere
        "for name in ('shut/a', 'open/a'):\n"
        "    try:\n"
        "        with atomic_write(name) as file:\n"
        "            file.write(b'new')\n"
        "    except UserError as error:\n"
        "        print(error)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, mode in (("shut", 0o555), ("open", 0o777)):
            (folder / part).mkdir()
            (folder / part / "a").write_bytes(b"old")
            (folder / part / "a").chmod(0o444)
            (folder / part).chmod(mode)
        folder.chmod(0o755)
        lines = printed_by(program, folder).splitlines()
        assert len(lines) == 2, lines
        assert all("protected against writing" in line for line in lines)
        for part in ("shut", "open"):
            assert os.listdir(folder / part) == ["a"]
            assert (folder / part / "a").read_bytes() == b"old"
            (folder / part).chmod(0o755)


def printed_by(program, folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout
