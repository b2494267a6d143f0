"""Change the code of the model file bit by bit: do the tests of `tests/modelfile` notice?

    python benchmarks/torture/mutation.py [--share 0.1] [--seed 0] [--only load] [--out FILE]

Every comparison, operator, constant, condition, call that is not used and return value of
`src/assay/modelfile` is changed once, each change in a process of its own that runs the
tests until one fails. A change that no test notices survives; survivors are listed. Changes
that hang or end the process count as noticed. Texts are left alone: they are wording.
"""

import argparse
import ast
import contextlib
import copy
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from claims import Claims

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "assay" / "modelfile"
TESTS = ROOT / "tests" / "modelfile"
LEAST_SHARE = 0.8
LIMIT_S, LONGEST_S = 40, 600  # of the processor, and in all
_FAILED = 1  # pytest's status where a test failed

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A changed module.

    Attributes:
        module: Its name.
        line: Where it was changed.
        what: How.
        tree: The whole module.
    """

    module: str
    line: int
    what: str
    tree: ast.Module


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield each change of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = [node for node in ast.walk(tree) if _is_code(node)]
    for idx, node in enumerate(places):
        for change_idx, (what, _) in enumerate(_changes(node)):
            changed = copy.deepcopy(tree)
            own = [one for one in ast.walk(changed) if _is_code(one)][idx]
            _changes(own)[change_idx][1]()
            ast.fix_missing_locations(changed)
            yield Mutant(f"assay.modelfile.{path.stem}", node.lineno, what, changed)


def _is_code(node: ast.AST) -> bool:
    return hasattr(node, "lineno")


def _changes(node: ast.AST) -> list[tuple[str, "Change"]]:
    """Return what can be changed at a node: words, and what does it in place."""
    if isinstance(node, ast.Compare):
        return [
            (f"{type(op).__name__} to {_COMPARISONS[type(op)].__name__}", _Put(node.ops, idx, op))
            for idx, op in enumerate(node.ops)
        ]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS and not _is_type(node):
        swapped = _OPERATORS[type(node.op)]
        return [(f"{type(node.op).__name__} to {swapped.__name__}", _Set(node, "op", swapped()))]
    if isinstance(node, ast.BoolOp):
        swapped_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return [(f"to {type(swapped_op).__name__}", _Set(node, "op", swapped_op))]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [("not left out", _Set(node, "op", ast.UAdd(), wraps_bool=True))]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return [("a number more", _Set(node, "value", node.value + 1))]
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        return [("another truth", _Set(node, "value", not node.value))]
    if isinstance(node, ast.If):
        return [("never", _Set(node, "test", ast.Constant(value=False)))]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return [("call left out", _Set(node, "value", ast.Constant(value=None)))]
    if isinstance(node, ast.Return) and node.value is not None:
        is_none = isinstance(node.value, ast.Constant) and node.value.value is None
        return [] if is_none else [("returns None", _Set(node, "value", ast.Constant(value=None)))]
    return []


def _is_type(node: ast.BinOp) -> bool:
    """Tell whether it joins types, as in `int | None`."""
    names = [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]
    has_none = any(isinstance(one, ast.Constant) and one.value is None for one in ast.walk(node))
    types = {"bytes", "str", "float", "int", "memoryview", "Path", "Mapping", "MalformedError"}
    return isinstance(node.op, ast.BitOr) and (has_none or bool(types & set(names)))


@dataclass
class _Put:
    ops: list[ast.cmpop]
    idx: int
    op: ast.cmpop

    def __call__(self) -> None:
        self.ops[self.idx] = _COMPARISONS[type(self.op)]()


@dataclass
class _Set:
    node: ast.AST
    field: str
    value: object
    wraps_bool: bool = False

    def __call__(self) -> None:
        if self.wraps_bool:  # not x becomes +bool(x)
            name = ast.Name(id="bool", ctx=ast.Load())
            self.node.operand = ast.Call(func=name, args=[self.node.operand], keywords=[])  # type: ignore[attr-defined]
        setattr(self.node, self.field, self.value)


Change = _Put | _Set


class _Importer:
    """Gives a changed module instead of the one on disk."""

    def __init__(self, mutant: Mutant, path: Path) -> None:
        self._mutant, self._path = mutant, path

    def find_spec(self, name: str, *_: object) -> object:
        from importlib.machinery import ModuleSpec

        if name != self._mutant.module:
            return None
        return ModuleSpec(name, self, origin=str(self._path))  # type: ignore[arg-type]

    def create_module(self, _: object) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._path)
        exec(compile(self._mutant.tree, str(self._path), "exec"), vars(module))


def test_files() -> list[Path]:
    """Return the tests, fast ones first; those that train are left out."""
    slow = ("test_attacks.py", "test_modelfile.py")
    fast = sorted(path for path in TESTS.glob("test_*.py") if path.name not in slow)
    return [*fast, TESTS / "test_attacks.py"]


def run_tests(module: str) -> int:
    import pytest

    files = test_files()
    own = [path for path in files if path.stem == f"test_{module.rpartition('.')[2]}"]
    ordered = [*own, *(path for path in files if path not in own)]
    chosen = ["-k", "not run_nothing and not many_attacks"]
    return int(
        pytest.main(
            ["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *chosen]
            + [str(path) for path in ordered]
        )
    )


def used_s() -> int:
    """Return the processor time of this process, in whole seconds."""
    return int(time.process_time()) + 1


def is_noticed(mutant: Mutant, path: Path) -> bool:
    """Run the tests on a changed module in a forked process."""
    child = os.fork()
    if not child:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (used_s() + LIMIT_S, used_s() + LIMIT_S))
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        status = _FAILED
        try:
            sys.meta_path.insert(0, _Importer(mutant, path))  # type: ignore[arg-type]
            status = run_tests(mutant.module)
        except BaseException:
            pass
        finally:
            os._exit(status)
    end_s = time.monotonic() + LONGEST_S
    while time.monotonic() < end_s:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status != 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def warm() -> None:
    """Load all that the tests need, then forget the modules that are changed.

    Whatever imports them is forgotten as well, so that it finds the changed ones.
    """
    import onnx  # noqa: F401
    import pytest

    import assay.estimator
    import assay.nn.graph
    import assay.report.write  # noqa: F401

    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        pytest.main(
            ["--collect-only", "-q", f"--rootdir={ROOT}", str(ROOT / "tests/test_files.py")]
        )
    forgotten = ("assay.modelfile", "assay.model", "assay.estimator", "assay.report", "attacks")
    for name in list(sys.modules):
        if name.startswith(forgotten):
            del sys.modules[name]


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", default="", help="name of one file")
    own, others = parser.parse_known_args()
    claims = Claims("mutation", str(__doc__).partition("\n")[0], others)
    os.chdir(ROOT)
    os.environ |= {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}  # before Polars is loaded
    warm()
    unchanged = Mutant("", 0, "unchanged", ast.parse(""))
    if is_noticed(unchanged, SOURCES):
        print("the tests fail, or take too long, without any change")
        return 1
    found = [
        (mutant, path)
        for path in sorted(SOURCES.glob("*.py"))
        if path.stem != "__init__" and own.only in ("", path.stem)
        for mutant in mutants(path)
    ]
    rng = np.random.default_rng([claims.seed, 503])
    chosen = np.sort(rng.permutation(len(found))[: claims.part(len(found))])
    survivors = []
    for idx in chosen:
        mutant, path = found[idx]
        if not is_noticed(mutant, path):
            survivors.append(mutant)
            print(f"  survives: {path.name}:{mutant.line}: {mutant.what}", flush=True)
    n_noticed = len(chosen) - len(survivors)
    share = n_noticed / len(chosen)
    claims.tell(
        f"at least {LEAST_SHARE:.0%} of changed programs are noticed",
        kept=int(share >= LEAST_SHARE),
        of=1,
        n_changes=len(chosen),
        n_noticed=n_noticed,
        share_noticed=round(share, 3),
    )
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
