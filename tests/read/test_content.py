"""Opening files."""

import contextlib
import io
import os
import threading
from pathlib import Path

import pytest

from assay.errors import UserError
from assay.options import ReadRecipe
from assay.read.caps import Caps, caps_of
from assay.read.content import Content, Pipe, from_bytes, open_path

TEXT = b"a,b\n1,2\n" * 200
CAPS = caps_of(ReadRecipe())


class Tap(io.RawIOBase):
    """A stream that never ends, and counts what it gave."""

    n_bytes = 0

    def read(self, n: int = -1) -> bytes:
        assert n > 0, "read to its end"
        self.n_bytes += n
        return b"1,2\n" * (n // 4)


def caps_of_bytes(n_bytes: int) -> Caps:
    return Caps(max_bytes=n_bytes, max_columns=9, max_time_s=1.0)


def test_a_missing_file_offers_the_nearest_name(tmp_path: Path):
    (tmp_path / "titanic.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=r"no such file. Did you mean 'titanic.csv'"):
        open_path(tmp_path / "titanik.csv", CAPS)


def test_a_folder_is_no_table(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=r"folder, not a table. Choose a file in it: x.csv"):
        open_path(tmp_path, CAPS)


def test_an_empty_file_is_refused(tmp_path: Path):
    (tmp_path / "x.csv").touch()
    with pytest.raises(UserError, match="the file is empty"):
        open_path(tmp_path / "x.csv", CAPS)


def test_permission_denied_is_said(tmp_path: Path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match="cannot read the file: permission denied"):
        open_path(path, CAPS)


def test_chunks_join_to_the_whole():
    assert b"".join(Content(name="x", data=TEXT).chunks(7)) == TEXT


def test_a_file_that_vanishes_after_it_was_found_is_said(tmp_path: Path):
    (tmp_path / "x.csv").write_bytes(TEXT)
    content = open_path(tmp_path / "x.csv", CAPS)
    assert content.read() == TEXT
    (tmp_path / "x.csv").unlink()
    with pytest.raises(UserError, match=r"x.csv: cannot read the file: no such file"):
        content.read()


def test_a_missing_folder_is_said(tmp_path: Path):
    with pytest.raises(UserError, match=r"no such file. There is no folder '.*/nowhere' either"):
        open_path(tmp_path / "nowhere" / "x.csv", CAPS)


def test_a_folder_that_cannot_be_listed_is_still_no_table(tmp_path: Path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match="this is a folder, not a table"):
        open_path(tmp_path, CAPS)


def test_no_bytes_are_nothing_to_read():
    with pytest.raises(UserError, match="0 bytes"):
        from_bytes(b"", "x.csv")


def test_an_endless_pipe_is_read_as_far_as_its_caps():
    tap = Tap()
    with pytest.raises(UserError, match=r"tap: it holds more than 5 MB\. .*read\.max_bytes = '1G'"):
        Pipe(tap, "tap").read(caps_of_bytes(5_000_000))
    assert tap.n_bytes < 5_000_000 + (1 << 21)


def test_a_pipe_goes_on_where_a_smaller_cap_stopped_it():
    text = TEXT * 2000
    pipe = Pipe(io.BytesIO(text), "x")
    with pytest.raises(UserError, match="more than 1 kB"):
        pipe.read(caps_of_bytes(1000))
    assert pipe.read(caps_of_bytes(len(text))) == pipe.read(CAPS) == text
    with pytest.raises(UserError, match="more than"):
        pipe.read(caps_of_bytes(len(text) - 1))


def test_a_named_pipe_is_read_within_its_caps(tmp_path: Path):
    path = tmp_path / "x.csv"
    os.mkfifo(path)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), path.open("wb") as stream:
            stream.write(TEXT * 5000)

    writers = [threading.Thread(target=write) for _ in range(2)]
    writers[0].start()
    assert open_path(path, CAPS).read() == TEXT * 5000
    writers[0].join()
    writers[1].start()
    with pytest.raises(UserError, match=r"x\.csv: it holds more than 1 kB"):
        open_path(path, caps_of_bytes(1000))
    writers[1].join()


def test_an_endless_device_is_read_within_its_caps():
    with pytest.raises(UserError, match="zero: it holds more than 3 MB"):
        open_path(Path("/dev/zero"), caps_of_bytes(3_000_000))
