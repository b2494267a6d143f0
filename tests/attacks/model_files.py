"""Malicious model files: hashes and seals fit, as a stranger's would.

`malicious` makes them, `watch_loading` opens files in a process of its own under an audit
hook, and tells of each what became of it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from assay.modelfile import layout
from attacks.model_archives import EVIL, archive_attacks
from attacks.model_cores import core_attacks
from attacks.model_json import JSON_PARTS, change_attacks, harmless_json, text_attacks
from attacks.model_members import members_attacks
from attacks.model_parts import parts_of, resealed

TESTS = Path(__file__).parents[1]
RELEASED = TESTS / "modelfile" / "released"


class Attack(NamedTuple):
    """A file that shall do harm.

    Attributes:
        name: What it tries.
        data: Its bytes.
        is_harmless: Whether it may be accepted; the others must be refused.
    """

    name: str
    data: bytes
    is_harmless: bool = False


def sound_file() -> bytes:
    """Return the stored model of the first release: a blend over columns of every kind."""
    return (RELEASED / "0.1.0.assay").read_bytes()


def malicious(*, with_large: bool = True) -> Iterator[Attack]:
    """Yield malicious files, made of `sound_file`.

    Args:
        with_large: Whether to make files of 40 MB as well.
    """
    base = sound_file()
    parts = parts_of(base)
    for name, data in archive_attacks(base):
        yield Attack(name, data)
    for name, core in core_attacks(parts[layout.CORE]):
        yield Attack(name, resealed({**parts, layout.CORE: core}))
    for part in JSON_PARTS:
        for name, text in text_attacks(parts, part, with_large=with_large):
            yield Attack(name, resealed({**parts, part: text}))
    for name, part, text in change_attacks(parts):
        yield Attack(name, resealed({**parts, part: text}))
    for name, members in members_attacks(parts[layout.MEMBERS]):
        yield Attack(name, resealed({**parts, layout.MEMBERS: members}))
    for name, part, text in harmless_json(parts):
        yield Attack(name, resealed({**parts, part: text}), is_harmless=True)
    polyglot = b"%PDF-1.7\n<script>alert(1)</script>\n" + base
    yield Attack("a file that is also a page", polyglot)


def watch_loading(paths: Sequence[Path], *, limit_s: float = 600.0) -> list[dict[str, Any]]:
    """Open model files in a process of its own.

    Args:
        paths: Of the files.
        limit_s: For all of them together.

    Returns:
        For each {"outcome": "refused", "accepted" or an error's name, "message",
        "seconds", "events": what no file may cause, "rss_bytes": the most memory taken
        so far}.
    """
    environment = {
        "PYTHONPATH": f"{TESTS.parent / 'src'}:{TESTS}",
        "OMP_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
    }
    found = subprocess.run(
        [sys.executable, "-m", "attacks.model_watch", str(RELEASED / "0.1.0.assay")],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        timeout=limit_s,
        env=environment,
        check=False,
    )
    lines = found.stdout.splitlines()
    if found.returncode or EVIL in found.stdout + found.stderr:
        raise AssertionError(f"after {len(lines)} files: {found.stdout} {found.stderr[-2000:]}")
    return [json.loads(line) for line in lines]
