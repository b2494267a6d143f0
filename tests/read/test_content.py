"""Opening files."""

from pathlib import Path

import pytest

from assay.errors import UserError
from assay.read.content import Content, from_bytes, open_path

TEXT = b"a,b\n1,2\n" * 200


def test_a_missing_file_offers_the_nearest_name(tmp_path: Path):
    (tmp_path / "titanic.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=r"no such file. Did you mean 'titanic.csv'"):
        open_path(tmp_path / "titanik.csv")


def test_a_folder_is_no_table(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=r"folder, not a table. Choose a file in it: x.csv"):
        open_path(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path):
    (tmp_path / "x.csv").touch()
    with pytest.raises(UserError, match="the file is empty"):
        open_path(tmp_path / "x.csv")


def test_permission_denied_is_said(tmp_path: Path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match="cannot read the file: permission denied"):
        open_path(path)


def test_chunks_join_to_the_whole():
    assert b"".join(Content(name="x", data=TEXT).chunks(7)) == TEXT


def test_a_file_that_vanishes_after_it_was_found_is_said(tmp_path: Path):
    (tmp_path / "x.csv").write_bytes(TEXT)
    content = open_path(tmp_path / "x.csv")
    assert content.read() == TEXT
    (tmp_path / "x.csv").unlink()
    with pytest.raises(UserError, match=r"x.csv: cannot read the file: no such file"):
        content.read()


def test_a_missing_folder_is_said(tmp_path: Path):
    with pytest.raises(UserError, match=r"no such file. There is no folder '.*/nowhere' either"):
        open_path(tmp_path / "nowhere" / "x.csv")


def test_a_folder_that_cannot_be_listed_is_still_no_table(tmp_path: Path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match="this is a folder, not a table"):
        open_path(tmp_path)


def test_no_bytes_are_nothing_to_read():
    with pytest.raises(UserError, match="0 bytes"):
        from_bytes(b"", "x.csv")
