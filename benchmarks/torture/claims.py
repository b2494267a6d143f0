"""How a suite tells what it found: a line for each promise, and its figures as one JSON line."""

import argparse
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Claims:
    """The promises that a suite tests.

    Args:
        name: Of the suite.
        told: What it does, for `--help`.
        arguments: Of the process by default.

    Attributes:
        share: Part of the full suite to run, in (0, 1].
        seed: Of all chance.
    """

    def __init__(self, name: str, told: str, arguments: Sequence[str] | None = None) -> None:
        parser = argparse.ArgumentParser(description=told)
        parser.add_argument("--share", type=float, default=1.0, help="part of the suite to run")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--out", type=Path, help="file to append the figures to, a line of JSON"
        )
        given = parser.parse_args(arguments)
        self.share, self.seed, self._out = given.share, given.seed, given.out
        self._name, self._found, self._start_s = name, list[dict[str, Any]](), time.monotonic()

    def part(self, n: int) -> int:
        """Return the share of `n`, at least 1."""
        return max(round(n * self.share), 1)

    def tell(self, promise: str, *, kept: int, of: int, **figures: Any) -> None:
        """Tell how often a promise was kept, and other figures beside it.

        One that nothing was tried of counts as broken, but where only a share is run.
        """
        self._found.append({"promise": promise, "kept": kept, "of": of, **figures})
        more = "".join(f", {name.replace('_', ' ')} {value}" for name, value in figures.items())
        verdict = "BROKEN" if self._is_broken(kept, of) else "kept  " if of else "not tried"
        print(f"{verdict} {kept} of {of}  {promise}{more}", flush=True)

    def _is_broken(self, kept: int, of: int) -> bool:
        is_spared = of == 0 and self.share < 1.0
        return not (kept == of > 0 or is_spared)

    def end(self) -> int:
        """Write the figures; return the exit status: 1 where a promise was broken."""
        found = {
            "suite": self._name,
            "share": self.share,
            "seed": self.seed,
            "seconds": round(time.monotonic() - self._start_s, 1),
            "python": platform.python_version(),
            "claims": self._found,
        }
        print(f"{self._name}: {found['seconds']} s")
        if self._out is not None:
            with self._out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
        return int(any(self._is_broken(one["kept"], one["of"]) for one in self._found))
