"""The archive: one way to write, and only that way is read."""

import hashlib
import io
import zipfile

import pytest

from assay.modelfile import archive, layout
from assay.modelfile.archive import (
    check_seal,
    read_archive,
    read_first_manifest,
    write_archive,
)
from assay.modelfile.layout import MalformedError, to_json
from attacks.model_parts import described, seal_again

PARTS = {name: f"the bytes of {name}".encode() * 9 for name in layout.PARTS}


def manifest(parts=PARTS, **changes: object) -> dict[str, object]:
    return {
        "format": "assay",
        "format_version": 1,
        "assay_version": "0.1.0",
        "parts": described(parts),
    } | changes


def written(parts=PARTS, **changes: object) -> bytes:
    return write_archive({layout.MANIFEST: to_json(manifest(parts, **changes)), **parts})


def test_an_archive_is_what_the_zip_library_writes():
    entries = {layout.MANIFEST: to_json(manifest()), **PARTS}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, part in entries.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            file.writestr(entry, part)
        file.comment = layout.SEAL + b"0" * 64
    body = buffer.getvalue()[:-77]
    assert written() == body + layout.SEAL + hashlib.sha256(body).hexdigest().encode()


def test_what_is_written_is_read():
    data = written()
    check_seal(data)
    found = read_first_manifest(data)
    assert found == manifest()
    parts = read_archive(data, found)
    assert {name: bytes(part) for name, part in parts.items()} == PARTS
    assert list(parts) == list(layout.PARTS)


def test_parts_are_views_of_the_file():
    data = written()
    assert all(part.obj is data for part in read_archive(data, manifest()).values())


def test_empty_parts_and_absent_optional_ones_are_read():
    parts = {name: part for name, part in PARTS.items() if name not in layout.OPTIONAL}
    parts[layout.LEDGER] = b""
    data = written(parts)
    found = read_archive(data, read_first_manifest(data))
    assert {name: bytes(part) for name, part in found.items()} == parts


@pytest.mark.parametrize("release", ["0.1.0", "10.20.3000", "1.0.0rc1", "1.2.3+local.4"])
def test_releases_are_read(release):
    assert read_first_manifest(written(assay_version=release))["assay_version"] == release


@pytest.mark.attack
@pytest.mark.parametrize(
    "release", ["0.1", "0.1.0 ", "0.1.0\n", "v0.1.0", "00001.0.0", "1.0.0-x", "1.0.0" + "a" * 25]
)
def test_what_is_no_release_is_refused(release):
    with pytest.raises(MalformedError, match="tells no release"):
        read_first_manifest(written(assay_version=release))


@pytest.mark.attack
def test_a_manifest_has_a_largest_size():
    room = archive.MAX_MANIFEST_BYTES - len(to_json(manifest(more="")))
    assert read_first_manifest(written(more="x" * room))
    with pytest.raises(MalformedError, match="its first entry is no manifest"):
        read_first_manifest(written(more="x" * (room + 1)))


@pytest.mark.attack
@pytest.mark.parametrize("length", [0, 1, 29, 30, 42, 43, 44, 500])
def test_the_beginning_of_a_file_is_no_manifest(length):
    with pytest.raises(MalformedError, match=r"cut off|no manifest"):
        read_first_manifest(written()[:length])


@pytest.mark.attack
@pytest.mark.parametrize("length", [0, 1, 76, 77, 78])
def test_a_seal_needs_all_its_bytes(length):
    with pytest.raises(MalformedError, match="its end is missing"):
        check_seal(written()[:length])


@pytest.mark.attack
def test_a_seal_is_of_all_bytes_before_it():
    data = bytearray(written())
    data[-78] ^= 1
    with pytest.raises(MalformedError, match="its bytes do not match its seal"):
        check_seal(bytes(data))
    check_seal(seal_again(bytes(data)))


@pytest.mark.attack
@pytest.mark.parametrize("name", layout.PARTS)
def test_each_part_has_its_hash(name):
    parts = {**PARTS, name: b"x" * len(PARTS[name])}
    data = write_archive({layout.MANIFEST: to_json(manifest()), **parts})
    with pytest.raises(MalformedError, match=f"part {name} does not match its hash"):
        read_archive(data, read_first_manifest(data))


@pytest.mark.attack
@pytest.mark.parametrize("difference", [-1, 1, 10**6])
def test_a_part_has_the_size_that_is_told(difference):
    told = manifest()
    told["parts"][layout.LEDGER]["size"] += difference
    with pytest.raises(MalformedError, match=r"is not where it should be|an entry"):
        read_archive(written(), told)


@pytest.mark.attack
def test_a_part_of_one_byte_behind_the_end_is_refused():
    told = manifest()
    data = written()
    told["parts"][layout.REFERENCE]["size"] = len(data)
    with pytest.raises(MalformedError, match=r"part reference\.json is not where it should be"):
        read_archive(data, told)


@pytest.mark.attack
def test_headers_that_begin_at_the_end_are_cut_off():
    told = manifest()
    data = written()
    last = data.rindex(b"PK\x03\x04")
    for length in (0, 10, 29):
        with pytest.raises(MalformedError, match="an entry is cut off"):
            read_archive(data[: last + length], told)


def test_the_comparison_keeps_what_was_written_where():
    pieces = archive._Pieces()
    assert pieces.write(b"abc") == 3
    pieces.write(b"")
    pieces.write(b"de")
    assert (pieces.tell(), pieces.length) == (5, 5)
    pieces.seek(0)
    pieces.write(b"xyz")
    assert (pieces.tell(), pieces.length) == (3, 5)
    pieces.flush()
    assert {place: bytes(piece) for place, piece in pieces.pieces.items()} == {0: b"xyz", 3: b"de"}


@pytest.mark.attack
@pytest.mark.parametrize("entry", [None, [], {"size": 1}, {"size": 1, "sha256": "", "more": 1}])
def test_a_manifest_describes_each_part(entry):
    told = manifest()
    told["parts"][layout.CORE] = entry
    with pytest.raises(MalformedError, match=r"does not describe part core\.onnx"):
        read_archive(written(), told)


@pytest.mark.attack
@pytest.mark.parametrize("size", [0, layout.MAX_FILE_BYTES])
def test_sizes_within_the_limits_are_looked_up(size):
    told = manifest()
    told["parts"][layout.PREDICTOR]["size"] = size
    with pytest.raises(MalformedError, match=r"not where it should be|an entry is missing"):
        read_archive(written(), told)
    told["parts"][layout.PREDICTOR]["size"] = layout.MAX_FILE_BYTES + 1
    with pytest.raises(MalformedError, match=r"gives part predictor\.json no size"):
        read_archive(written(), told)
