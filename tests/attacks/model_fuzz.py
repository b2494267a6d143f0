"""What the fuzzer of the model loader feeds: bytes in, a forged model file opened.

The first byte says what the rest stands for: a whole file, a file to be sealed again, or
one part of a sound file, whose hashes and seal are then made to fit. JSON that can be read
is written as assay writes it, so that the fuzzer gets past the first check.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from assay.errors import UserError
from assay.modelfile import layout
from assay.modelfile.layout import to_json
from assay.modelfile.load import open_bytes
from attacks.model_cores import core_attacks
from attacks.model_files import sound_file
from attacks.model_json import change_attacks
from attacks.model_members import members_attacks
from attacks.model_parts import parts_of, resealed, seal_again

CORPUS = Path(__file__).parent / "corpus" / "model"
_AS_IT_IS, _SEALED_AGAIN, _FIRST_PART = 0, 1, 2


def feed(data: bytes) -> None:
    """Open the file that some bytes stand for; anything but a refusal goes through."""
    if not data:
        return
    try:
        open_bytes(forged(data[0], data[1:]), where="m.assay")
    except UserError as error:
        if "\n" in str(error):
            raise AssertionError(f"several lines: {error}") from None


def forged(kind: int, data: bytes) -> bytes:
    """Return the file that bytes stand for."""
    kind %= _FIRST_PART + len(layout.PARTS)
    if kind == _AS_IT_IS:
        return data
    if kind == _SEALED_AGAIN:
        return seal_again(data)
    name = layout.PARTS[kind - _FIRST_PART]
    return resealed({**_sound_parts(), name: _rewritten(data) if name[-5:] == ".json" else data})


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: each part, and each attack on one."""
    parts = _sound_parts()
    for idx, name in enumerate(layout.PARTS):
        yield bytes([_FIRST_PART + idx]) + parts[name]
    yield bytes([_SEALED_AGAIN]) + sound_file()
    for name, attacks in {
        layout.CORE: core_attacks(parts[layout.CORE]),
        layout.MEMBERS: members_attacks(parts[layout.MEMBERS]),
    }.items():
        for _, part in attacks:
            yield bytes([_FIRST_PART + layout.PARTS.index(name)]) + part
    for _, name, part in change_attacks(parts):
        yield bytes([_FIRST_PART + layout.PARTS.index(name)]) + part


@lru_cache(maxsize=1)
def _sound_parts() -> dict[str, bytes]:
    return parts_of(sound_file())


def _rewritten(text: bytes) -> bytes:
    try:
        return to_json(json.loads(text))
    except (ValueError, RecursionError):
        return text
