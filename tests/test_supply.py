"""What is installed is bounded, pinned and declared; and nothing of it calls home.

Whether a pinned version has a known hole is asked by benchmarks/audit.py, which needs
the network; all here is verified without.
"""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(\[[^\]]*\])?(.*)")
_IMPORT_NAMES = {"scikit-learn": "sklearn", "adbc-driver-postgresql": "adbc_driver_postgresql"}
_HALVES = {"pydantic_core"}  # of pydantic, which asks for one version of it exactly


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(lines: list[str]) -> dict[str, str]:
    found = (_REQUIREMENT.match(line) for line in lines)
    return {_normal(one[1]): one[3].strip() for one in found if one[1] != "assay"}


def _all_required() -> dict[str, str]:
    project = _project()
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return _required([*project["dependencies"], *extras])


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {_normal(name): version for name, version in pairs}


@pytest.mark.parametrize("name", sorted(_all_required()))
def test_every_dependency_has_a_least_and_a_most_version(name):
    assert re.fullmatch(r">=[0-9.]+,<[0-9.]+", _all_required()[name])


def test_every_pin_lies_within_the_bounds():
    pins = _pins()
    for name, bounds in _all_required().items():
        least, most = re.fullmatch(r">=([0-9.]+),<([0-9.]+)", bounds).groups()
        assert _numbers(least) <= _numbers(pins[name]) < _numbers(most), name


def test_what_the_product_needs_is_pinned_to_the_last_package():
    pins, seen = _pins(), set()
    ahead = [*_required(_project()["dependencies"])]
    while ahead:
        name = ahead.pop()
        if name in seen:
            continue
        seen.add(name)
        assert name in pins, f"{name} is not in constraints.txt"
        ahead += [_normal(need) for need in _needs(name)]
    assert len(seen) > 20


def test_every_import_is_of_a_declared_package():
    project = _project()
    optional = project["optional-dependencies"]
    declared = _required([*project["dependencies"], *optional["excel"], *optional["sql"]])
    known = {_IMPORT_NAMES.get(name, name.replace("-", "_")) for name in declared}
    known |= _HALVES | {"assay"}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for name in _imports(file):
            assert name in known or name in sys.stdlib_module_names, f"{file}: {name}"


def test_what_could_run_a_file_is_imported_nowhere():
    risky = {"pickle", "marshal", "shelve", "cloudpickle", "joblib", "dill", "socket", "requests"}
    for file in sorted((ROOT / "src").rglob("*.py")):
        assert not risky & _imports(file), file


def _imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def _needs(name: str) -> list[str]:
    """Return what a package needs here, without its extras and other systems."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # not needed on this system or Python
        return []
    needed = []
    for line in lines:
        package, _, marker = line.partition(";")
        if "extra" in marker or "platform" in marker or "python_version" in marker:
            continue
        needed.append(re.match(r"[A-Za-z0-9._-]+", package)[0])
    return needed


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
