"""Cut, change and forge model files: each must be refused, fast, and without harm.

    python benchmarks/torture/model_file.py [--share 0.05] [--seed 0] [--out FILE]

Truncations and changed bits keep their old seal, as damage does. Changed headers are
sealed again, as a stranger would. The malicious files of `tests/attacks/model_files.py`
have fresh hashes and seals; each is opened under an audit hook in a process of its own.
Times are of the processor.
"""

import io
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from claims import Claims
from safetensors.numpy import load, save

from assay.errors import UserError
from assay.modelfile import layout
from assay.modelfile.load import unpack
from attacks.model_files import Attack, malicious, sound_file, watch_loading
from attacks.model_parts import parts_of, resealed, seal_again

N_PAYLOAD_BITS = 10_000
N_LARGE = 20
LARGE_BYTES = 100 << 20
MOST_SECONDS, MOST_SECONDS_MALICIOUS = 1.0, 5.0
MOST_MEMORY_BYTES = 512 << 20
AT_A_TIME = 64  # malicious files that one process opens
MEASURE = """
import sys, time
from attacks.model_watch import most_memory_bytes
from assay.errors import UserError
from assay.modelfile.load import load_model
before, start_s = most_memory_bytes(), time.process_time()
try:
    load_model(sys.argv[1])
except UserError:
    print(most_memory_bytes() - before, time.process_time() - start_s)
"""


def header_places(data: bytes) -> list[int]:
    """Return the places of all bytes that belong to no part: headers, manifest, seal."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    places: list[int] = []
    for entry in entries:
        end = entry.header_offset + 30 + len(entry.filename)
        places += range(entry.header_offset, end)
        if entry.filename == layout.MANIFEST:
            places += range(end, end + entry.file_size)
    last = entries[-1]
    return places + list(range(end + last.file_size, len(data)))


def zip_places(data: bytes) -> list[int]:
    """Return the same without the manifest's text and the seal."""
    start = data.index(layout.MANIFEST.encode()) + len(layout.MANIFEST)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo(layout.MANIFEST).file_size
    seal_at = len(data) - layout.SEAL_LENGTH
    return [at for at in header_places(data) if not start <= at < start + size and at < seal_at]


def flipped(data: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


def refused(files: Iterable[bytes]) -> tuple[int, int, float]:
    """Return how many files are refused, of how many, and the longest processor time."""
    kept, of, slowest_s = 0, 0, 0.0
    for data in files:
        start_s = time.process_time()
        try:
            unpack(data, where="m.assay")
        except UserError:
            kept += 1
        of, slowest_s = of + 1, max(slowest_s, time.process_time() - start_s)
    return kept, of, slowest_s


def tell_refused(claims: Claims, promise: str, files: Iterable[bytes]) -> None:
    kept, of, slowest_s = refused(files)
    is_fast = slowest_s < MOST_SECONDS
    claims.tell(promise, kept=kept if is_fast else 0, of=of, slowest_s=round(slowest_s, 4))


def part_of(claims: Claims, places: list[int]) -> list[int]:
    """Return an even share of places."""
    return places[:: max(round(1 / claims.share), 1)]


def damage(claims: Claims, data: bytes) -> None:
    lengths = part_of(claims, list(range(len(data))))
    tell_refused(claims, "every truncation is refused", (data[:length] for length in lengths))
    places = part_of(claims, header_places(data))
    every_bit = ((place, bit) for place in places for bit in range(8))
    tell_refused(
        claims, "every changed header bit is refused", (flipped(data, *one) for one in every_bit)
    )
    rng = np.random.default_rng([claims.seed, 501])
    chosen = rng.integers(len(data) * 8, size=claims.part(N_PAYLOAD_BITS))
    tell_refused(
        claims,
        "every changed bit anywhere is refused",
        (flipped(data, int(one) // 8, int(one) % 8) for one in chosen),
    )
    forged = ((place, bit) for place in part_of(claims, zip_places(data)) for bit in range(8))
    tell_refused(
        claims,
        "every changed bit of a zip header is refused under a fresh seal",
        (seal_again(flipped(data, *one)) for one in forged),
    )


def large_file(data: bytes) -> bytes:
    """Return a sound file of `LARGE_BYTES`."""
    parts = parts_of(data)
    members = load(parts[layout.MEMBERS])
    n_members = len(members["input_scale"])
    members["more"] = np.zeros((n_members, LARGE_BYTES // 4 // n_members), dtype=np.float32)
    return resealed({**parts, layout.MEMBERS: save(members)})


def memory(claims: Claims, data: bytes, folder: Path) -> None:
    """Refuse large files that are damaged, each in a process of its own."""
    rng = np.random.default_rng([claims.seed, 502])
    large, path = large_file(data), folder / "large.assay"
    kinds: list[Callable[[int], bytes]] = [
        lambda at: flipped(large, at, 3),
        lambda at: large[:at],
        lambda at: seal_again(flipped(large, at, 3)),
    ]
    n_files, kept, most_bytes, slowest_s = claims.part(N_LARGE), 0, 0, 0.0
    for idx in range(n_files):
        path.write_bytes(kinds[idx % len(kinds)](int(rng.integers(1000, len(large) - 1000))))
        told = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path)],
            env={"PYTHONPATH": str(Path(__file__).parents[2] / "tests")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        taken_bytes, taken_s = int(told[0]), float(told[1])
        kept += taken_bytes < 2 * len(large) and taken_s < MOST_SECONDS
        most_bytes, slowest_s = max(most_bytes, taken_bytes), max(slowest_s, taken_s)
    claims.tell(
        "a damaged file of 100 MiB is refused within 1 s and twice its size of memory",
        kept=kept,
        of=n_files,
        memory_to_file=round(most_bytes / len(large), 2),
        slowest_s=round(slowest_s, 3),
    )


def malice(claims: Claims, folder: Path) -> None:
    chosen = list(malicious(with_large=claims.share >= 1.0))[:: max(round(1 / claims.share), 1)]
    kept, most_bytes, slowest_s = 0, 0, 0.0
    for start in range(0, len(chosen), AT_A_TIME):
        attacks = chosen[start : start + AT_A_TIME]
        paths = [folder / f"{idx}.assay" for idx in range(len(attacks))]
        for path, attack in zip(paths, attacks, strict=True):
            path.write_bytes(attack.data)
        for attack, told in zip(attacks, watch_loading(paths), strict=True):
            is_kept = _is_kept(attack, told)
            kept += is_kept
            if not is_kept:
                print(f"       {attack.name}: {told}")
            most_bytes = max(most_bytes, told["rss_bytes"])
            slowest_s = max(slowest_s, told["seconds"])
    claims.tell(
        "a malicious file is refused or harmless, runs, opens and sends nothing",
        kept=kept,
        of=len(chosen),
        most_memory_mib=most_bytes >> 20,
        slowest_s=round(slowest_s, 2),
    )


def _is_kept(attack: Attack, told: dict[str, object]) -> bool:
    outcomes = ("refused", "accepted") if attack.is_harmless else ("refused",)
    return (
        told["outcome"] in outcomes
        and not told["events"]
        and "\n" not in str(told["message"])
        and float(str(told["seconds"])) < MOST_SECONDS_MALICIOUS
        and int(str(told["rss_bytes"])) < MOST_MEMORY_BYTES
    )


def main() -> int:
    claims = Claims("model_file", "Cut, change and forge model files.")
    data = sound_file()
    damage(claims, data)
    with tempfile.TemporaryDirectory() as folder:
        memory(claims, data, Path(folder))
        malice(claims, Path(folder))
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
