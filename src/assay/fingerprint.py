"""What a run was begun with, and whether it is the same still.

Comes in: choices, releases, and the rows as they were read. Goes out: plain data to keep
beside the run, and a refusal that tells what differs. A run that went on with other rows
or another release would end in a model that no uninterrupted training could have made.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from assay.errors import UserError
from assay.ledger import Ledger
from assay.read import NamedBytes
from assay.recipe import Recipe, recipe_changes
from assay.run_files import MOST_THREADS, POLARS_THREADS, SETTINGS, STATE
from assay.run_folder import RunFolder
from assay.samples import HeldOutRows, Samples
from assay.state_file import ANEW
from assay.training.device import count_threads, on_threads
from assay.version import __version__

_CHUNK_BYTES = 1 << 20
_CHUNK_ROWS = 1 << 14
_SHOWN = 60  # letters of a value
_GIVE = "Give what it was begun with"
# What computes, judges or writes: another release of it may round or write otherwise.
_PACKAGES = ("torch", "numpy", "polars", "scikit-learn", "scipy", "onnx", "onnxruntime")


def settings_of(recipe: Recipe, device: torch.device) -> dict[str, Any]:
    """Return what is known before anything is read: choices, releases, processor, threads."""
    packages = {name: metadata.version(name) for name in _PACKAGES}
    processor = torch.backends.cpu.get_cpu_capability()
    if device.type == "cuda":
        processor = torch.cuda.get_device_name(device)
    return {
        "recipe": recipe_changes(recipe),
        "release": {"assay": __version__, **packages},
        "device": {
            "device": device.type,
            "processor": processor,
            POLARS_THREADS: pl.thread_pool_size(),
        },
        "threads": count_threads(),
    }


def table_of(source: object, samples: Samples, ledger: Ledger) -> dict[str, Any]:
    """Return the fingerprint of the table that is learnt from.

    Of a file the bytes are compared, of anything else what was read; in both cases also
    the encoded rows, who learns from which, and the encoders, for these go into the model.
    """
    arrays, split, roles = samples.arrays, samples.split, samples.roles
    documents = (
        samples.preparation.raw_schema.to_dict(),
        samples.preparation.derived_schema.to_dict(),
        samples.encoder.to_dict(),
        samples.target.to_dict(),
        samples.reference.to_dict(),
        ledger.to_list(),
    )
    raw = samples.raw.frame
    rows = raw.hash_rows().to_numpy() if raw.width else np.zeros(0, np.uint64)
    parts = (arrays.numeric, arrays.codes, arrays.text, samples.y, samples.row_hashes, rows)
    who = (split.train, split.validation, split.test, roles.groups, roles.time, roles.weight)
    return {
        "file": _file(source),
        "rows": len(samples.y),
        "columns": [*samples.preparation.raw_schema.names, samples.target.name],
        "encoders": _digest(json.dumps(documents, sort_keys=True, default=str).encode()),
        "content": _digest(*(part for part in (*parts, *who) if part is not None)),
    }


def held_out_of(source: object, test: HeldOutRows) -> dict[str, Any]:
    """Return the fingerprint of a table to test on."""
    arrays = test.arrays
    parts = (arrays.numeric, arrays.codes, arrays.text, test.y, test.groups)
    return {
        "file": _file(source),
        "rows": len(test.y),
        "content": _digest(*(part for part in parts if part is not None)),
    }


def confirm(run: RunFolder, name: str, now: Mapping[str, Any] | None) -> None:
    """Keep a fingerprint of a run that begins, or compare it where the run goes on.

    Args:
        run: Taken by this process.
        name: "settings", "table" or "test".
        now: The fingerprint; None for no test table.

    Raises:
        UserError: It differs from when the run began; the message tells in what.
    """
    plain = {"given": json.loads(json.dumps(now))}
    state = run.read(name)
    if not run.is_resumed:
        run.keep(name, {}, plain)
        return
    if state is None:
        raise _refusal(run, f"its record {name}{STATE} is gone", "Put it back")
    before, after = state[1]["given"], plain["given"]
    if name == SETTINGS:  # threads are not compared: `on_threads_of` sets them
        before, after = ({**one, "threads": None} for one in (before, after))
    if before is None and after is not None:
        raise _refusal(run, "it was begun without a test table")
    if before is not None and after is None:
        raise _refusal(run, "it was begun with a test table")
    if before != after:
        raise _refusal(run, _difference(name, before, after), _fix(name, before, after))


@contextlib.contextmanager
def on_threads_of(run: RunFolder | None) -> Iterator[None]:
    """Compute on as many threads as the run was begun with; others would round otherwise.

    Args:
        run: Its settings are confirmed; None, or one that begins, changes nothing.

    Raises:
        UserError: The record of its settings does not tell how many.
    """
    state = None if run is None or not run.is_resumed else run.read(SETTINGS)
    if run is None or state is None:
        yield
        return
    counts = state[1]["given"].get("threads")
    if not isinstance(counts, dict) or not all(
        isinstance(counts.get(name), int) and 0 < counts[name] <= MOST_THREADS
        for name in ("torch", "blas")
    ):
        what = f"its record {SETTINGS}{STATE} does not tell the number of threads"
        raise _refusal(run, what, "Put it back as it was")
    with on_threads(counts):
        yield


def _refusal(run: RunFolder, what: str, fix: str = _GIVE) -> UserError:
    run.is_refused = True
    return UserError(
        f"the training cannot go on: {what}", where=str(run.path), fix=f"{fix}, or {ANEW}"
    )


def _fix(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what to do: set the environment where nothing else differs."""
    if name != SETTINGS or POLARS_THREADS not in before["device"]:
        return _GIVE
    n_threads = before["device"][POLARS_THREADS]
    alike = {**now, "device": {**now["device"], POLARS_THREADS: n_threads}}
    return f"Set POLARS_MAX_THREADS={n_threads}" if alike == before else _GIVE


def _difference(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in words what differs first, the most telling before the rest."""
    if name == SETTINGS:
        for part, default in (("recipe", "the default"), ("release", "none"), ("device", "none")):
            for key in sorted({*before[part], *now[part]}):
                old, new = (one[part].get(key, default) for one in (before, now))
                if old != new:
                    return f"{key} was {_shown(old)} when it began, and is {_shown(new)}"
    which = "table" if name == "table" else "test table"
    gone = [one for one in before.get("columns", ()) if one not in set(now["columns"])]
    new = [one for one in now.get("columns", ()) if one not in set(before["columns"])]
    if gone or new:
        gone_text = f"column {gone[0]!r} is gone" if gone else ""
        new_text = f"column {new[0]!r} is new" if new else ""
        told = " and ".join(text for text in (gone_text, new_text) if text)
        return f"the {which} has changed: {told}"
    if before["rows"] != now["rows"]:
        return f"the {which} had {before['rows']} rows when it began, and has {now['rows']}"
    if before.get("encoders") == now.get("encoders") and before["content"] == now["content"]:
        return f"the {which} reads the same, but it is another file: {_files(before, now)}"
    return f"the {which} has other contents than when it began"


def _files(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    sizes = [f"{one['file']['bytes']} bytes" if one["file"] else "no file" for one in (before, now)]
    return f"{sizes[0]}, now {sizes[1]}" if sizes[0] != sizes[1] else "some of its bytes differ"


def _shown(value: object) -> str:
    text = value if value in ("the default", "none") else json.dumps(value, ensure_ascii=False)
    text = str(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _file(source: object) -> dict[str, Any] | None:
    """Return size and SHA-256 of a file's bytes; None for what is no file."""
    if isinstance(source, NamedBytes):
        source = source.data
    if isinstance(source, bytes | bytearray | memoryview):
        return {"bytes": len(source), "sha256": hashlib.sha256(source).hexdigest()}
    if not isinstance(source, str | Path) or not Path(source).is_file():
        return None  # a database, a frame, or a pipe that was read already
    digest, n_bytes = hashlib.sha256(), 0
    try:
        with open(source, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                n_bytes += len(chunk)
    except OSError as error:
        raise UserError(f"cannot read: {error.strerror or error}", where=str(source)) from None
    return {"bytes": n_bytes, "sha256": digest.hexdigest()}


def _digest(*parts: np.ndarray | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, bytes):
            digest.update(part)
            continue
        digest.update(f"{part.dtype.str}{part.shape}".encode())
        for start in range(0, len(part), _CHUNK_ROWS):  # a copy of all could exceed a budget
            some = np.asarray(part[start : start + _CHUNK_ROWS], order="C")
            digest.update(some.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
