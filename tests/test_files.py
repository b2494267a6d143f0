"""Atomic writing: the old file or the new one, whole, whatever happens."""

import os
import resource
import subprocess
import sys

import pytest

from assay.errors import UserError
from assay.files import atomic_write


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
        pytest.raises(UserError, match="cannot write: No such file"),
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
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "a.bin: cannot write: File too large" in done.stdout
    assert os.listdir(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_written_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    with atomic_write(tmp_path / "ours"):
        pass
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode
