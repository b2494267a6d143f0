"""Weights of members that are not what the library of safe tensors writes."""

import json
import struct
from collections.abc import Iterator

import numpy as np
from safetensors.numpy import load, save


def members_attacks(sound: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of tensors that must be refused."""
    size = struct.unpack("<Q", sound[:8])[0]
    header, body = json.loads(sound[8 : 8 + size]), sound[8 + size :]
    name = next(iter(header))
    yield "a giant header", struct.pack("<Q", 2**63) + sound[8:]
    yield "a header beyond the file", struct.pack("<Q", len(sound)) + sound[8:]
    yield "a header that is no JSON", struct.pack("<Q", 4) + b"____" + body
    yield "a header of 100,000 levels", _with_text(b'{"a":' * 100_000, body)
    yield "nothing", b""
    yield "tensors cut off", sound[:-1]
    yield "bytes behind the tensors", sound + b"x"
    for what, change in {
        "offsets beyond the file": {"data_offsets": [0, 2**40]},
        "offsets that go back": {"data_offsets": [8, 0]},
        "offsets that overlap": {"data_offsets": [0, len(body)]},
        "an unknown type": {"dtype": "PICKLE"},
        "a giant shape": {"shape": [2**40, 2**40]},
        "a negative shape": {"shape": [-1]},
        "a shape of texts": {"shape": ["a"]},
    }.items():
        changed = {**header, name: {**header[name], **change}}
        yield what, _with_text(json.dumps(changed).encode(), body)
    tensors = load(sound)
    yield (
        "members of different number",
        save({**tensors, "input_scale": np.ones((9, 3), np.float32)}),
    )
    yield (
        "members of other columns",
        save(
            {**tensors, "numeric.center": np.ones((len(tensors["numeric.center"]), 99), np.float32)}
        ),
    )
    yield "members without an axis", save({**tensors, "more": np.ones((), np.float32)})
    yield "no members", save({})


def _with_text(text: bytes, body: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text + body
