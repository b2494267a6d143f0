"""The map in src/assay/README.md, the import contract and the folders agree."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "src" / "assay"

Floors = list[frozenset[str]]


def _map_rows() -> list[tuple[int, frozenset[str]]]:
    text = (HOUSE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *(\d+) \| *([^|]+?) *\|", text, flags=re.MULTILINE)
    return [(int(floor), frozenset(re.findall(r"`(\w+)`", names))) for floor, names in rows]


def _contracts() -> dict[str, dict[str, object]]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {str(one["type"]): one for one in config["tool"]["importlinter"]["contracts"]}


def _contract_floors() -> Floors:
    layers = _contracts()["layers"]["layers"]
    return [frozenset(re.split(r" *[|:] *", layer)) for layer in layers]


def _modules() -> list[str]:
    files = [file.stem for file in HOUSE.glob("*.py")]
    folders = [file.parent.name for file in HOUSE.glob("*/__init__.py")]
    return sorted(name for name in files + folders if name != "__init__")


def test_map_and_contract_name_the_same_floors_in_the_same_order() -> None:
    assert [names for _, names in _map_rows()] == _contract_floors()


def test_map_counts_floors_down_to_zero() -> None:
    numbers = [floor for floor, _ in _map_rows()]
    assert numbers == list(reversed(range(len(numbers))))


def test_every_module_has_exactly_one_floor() -> None:
    on_the_map = sorted(name for floor in _contract_floors() for name in floor)
    assert on_the_map == _modules()


def test_what_predicts_is_forbidden_torch() -> None:
    contract = _contracts()["forbidden"]
    assert contract["forbidden_modules"] == ["torch"]
    assert {"assay.predict", "assay.encode", "assay.modelfile.load"} <= set(
        contract["source_modules"]
    )


def test_every_folder_of_the_house_is_a_package() -> None:
    holding_code = {file.parent for file in HOUSE.rglob("*.py")}
    assert [str(folder) for folder in holding_code if not (folder / "__init__.py").exists()] == []
