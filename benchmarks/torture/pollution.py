"""Read thousands of polluted delimited files, told nothing, and compare each with its table.

    python benchmarks/torture/pollution.py [--share 0.05] [--seed 0] [--peers] [--out FILE]

Nine clean tables are polluted in one row by 50 operators at 8 rows and every cell, and as
a whole by 90 operators; see tests/attacks/. `--peers` lets other readers try the same files:
Python's csv told the separator, csv.Sniffer, DuckDB, Polars and pandas.
"""

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from claims import Claims
from pollution_peers import PEERS

from attacks.pollution import Case, Reading, Verdict, huge_cases, judge, read_by_assay, row_cases
from attacks.pollution_files import file_cases, refused_cases

_SEED = 52
_LIMIT_S = 30
_WHOLE_SHARE = 0.96
_N_SHOWN = 3


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--peers", action="store_true")
    own, others = parser.parse_known_args()
    claims = Claims("pollution", str(__doc__).partition("\n")[0], others)
    signal.signal(signal.SIGALRM, _stop)
    rows = _drawn(row_cases(), claims)
    files = _drawn([*file_cases(), *refused_cases(), *huge_cases()], claims)
    if own.peers:
        _compare(rows)
    row_verdicts = [_read(case) for case in rows]
    file_verdicts = [_read(case) for case in files]
    every = row_verdicts + file_verdicts
    _show(zip(rows + files, every, strict=True))
    for kind in ("crash", "hang", "wrong width"):
        n_free = sum(verdict.kind != kind for verdict in every)
        claims.tell(f"without a {kind}", kept=n_free, of=len(every))
    n_told = sum(not verdict.is_broken for verdict in every)
    claims.tell("read right, or told what is left out, line by line", kept=n_told, of=len(every))
    n_whole = sum(verdict.kind == "whole" for verdict in row_verdicts)
    claims.tell(
        f"at least {_WHOLE_SHARE:.0%} of files polluted in a row are read whole but for it",
        kept=int(n_whole >= _WHOLE_SHARE * len(rows)),
        of=1,
        whole=n_whole,
        files=len(rows),
    )
    kinds = Counter(verdict.kind for verdict in file_verdicts)
    wanted = [
        verdict.kind == "whole" or (verdict.kind == "refused" and case.may_refuse)
        for case, verdict in zip(files, file_verdicts, strict=True)
    ]
    claims.tell(
        "polluted as a whole and read whole, or refused where no table is sure",
        kept=sum(wanted),
        of=len(files),
        **{kind.replace(" ", "_"): count for kind, count in kinds.items()},
    )
    return claims.end()


def _drawn(cases: Iterable[Case], claims: Claims) -> list[Case]:
    listed = list(cases)
    rng = np.random.default_rng([claims.seed, _SEED])
    chosen = rng.choice(len(listed), size=claims.part(len(listed)), replace=False)
    return [listed[at] for at in sorted(chosen)]


def _stop(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"stopped after {_LIMIT_S} s")


def _read(case: Case) -> Verdict:
    signal.alarm(_LIMIT_S)
    try:
        return judge(case, read_by_assay(case))
    except TimeoutError as error:
        return Verdict("hang", True, str(error))
    finally:
        signal.alarm(0)


def _show(judged: Iterable[tuple[Case, Verdict]]) -> None:
    shown: Counter[tuple[str, str]] = Counter()
    for case, verdict in judged:
        is_wanted = verdict.kind == "whole" or (verdict.kind == "refused" and case.may_refuse)
        shown[case.operator, verdict.kind] += not is_wanted
        if not is_wanted and shown[case.operator, verdict.kind] <= _N_SHOWN:
            print(f"  {case.name}: {verdict.kind}, {verdict.detail[:120]}")


def _compare(cases: list[Case]) -> None:
    for name, read in PEERS.items():
        kinds = Counter(_peer_kind(case, read(case)) for case in cases)
        told = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        print(f"{name:30} {kinds['whole'] / len(cases):6.1%} whole; {told}", flush=True)


def _peer_kind(case: Case, reading: Reading) -> str:
    # Gentler than the judge of assay: the polluted row may vanish without a word.
    if reading.error:
        return "error"
    if {len(reading.names), *map(len, reading.rows)} != {len(case.names)}:
        return "wrong width"
    lost = Counter(case.rows) - Counter(reading.rows)
    return "rows wrong or gone" if lost or reading.names != case.names else "whole"


if __name__ == "__main__":
    sys.exit(main())
