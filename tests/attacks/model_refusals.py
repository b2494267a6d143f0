"""Why each malicious file is refused, as the checks themselves say it.

    PYTHONPATH=src:tests python -m attacks.model_refusals

writes the reasons anew. Look at the difference before it is kept: an attack that gets
another reason has passed the check that stopped it before.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from assay.errors import UserError
from assay.modelfile import layout
from assay.modelfile.core_check import array_widths, check_core
from assay.modelfile.layout import MalformedError
from assay.modelfile.load import open_model, unpack
from assay.modelfile.plain import parse_json
from assay.modelfile.rebuild import rebuild
from attacks.model_archives import archive_attacks
from attacks.model_cores import core_attacks
from attacks.model_files import RELEASED, sound_file
from attacks.model_json import change_attacks, text_attacks
from attacks.model_members import members_attacks
from attacks.model_parts import parts_of

STORED = Path(__file__).parent / "model_refusals.json"
_SHOWN = 100  # letters of a reason


KINDS = ("archive", "core", "text", "json", "members")


def refusals(kind: str) -> dict[str, str]:
    """Return the reason of each attack of a kind, by name."""
    base = sound_file()
    parts = parts_of(base)
    openings: dict[str, Callable[[], object]] = {}
    if kind == "archive":
        for name, data in archive_attacks(base):
            openings[name] = partial(unpack, data, where="m.assay")
    elif kind == "core":
        known = open_model(RELEASED / "0.1.0.assay").contents.predictor
        widths, n_classes = array_widths(known.encoder), known.target.n_classes
        for name, core in core_attacks(parts[layout.CORE]):
            openings[name] = partial(check_core, core, widths, n_classes=n_classes)
    elif kind == "text":
        for name, data in text_attacks(parts, layout.LEDGER, with_large=False):
            openings[name] = partial(parse_json, data)
    elif kind == "json":
        for name, part, data in change_attacks(parts):
            openings[name] = partial(_rebuilt, parts, part, data)
    else:
        for name, data in members_attacks(parts[layout.MEMBERS]):
            openings[name] = partial(_rebuilt, parts, layout.MEMBERS, data)
    return {
        name: reason(opening)
        for name, opening in openings.items()
        if not name.startswith("pickle as")
    }


def reason(opening: Callable[[], object]) -> str:
    """Return why something is refused: our own words, or the class of another's error."""
    try:
        opening()
    except UserError as error:
        return error.what[:_SHOWN]
    except MalformedError as error:
        return str(error)[:_SHOWN]
    except Exception as error:
        return type(error).__name__
    return "accepted"


def _rebuilt(parts: dict[str, bytes], part: str, data: bytes) -> object:
    views = {name: memoryview(one) for name, one in {**parts, part: data}.items()}
    return rebuild(views, where="m.assay")


def main() -> None:
    text = json.dumps({kind: refusals(kind) for kind in KINDS}, indent=1, ensure_ascii=False)
    STORED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
