"""assay: train neural networks on a table, and test them honestly.

import assay
model = assay.train("titanic.csv", target="Survived")
model.predict_proba(new_passengers)
model.save("titanic.assay")
"""

import importlib

from assay.version import __version__

TYPE_CHECKING = False  # the typing module is slow to import, and only checkers need it
if TYPE_CHECKING:
    from assay import datasets, nn
    from assay.errors import AssayError, InternalError, UserError
    from assay.estimator import load, train
    from assay.model import Model
    from assay.recipe import Recipe

__all__ = [
    "AssayError",
    "InternalError",
    "Model",
    "Recipe",
    "UserError",
    "__version__",
    "datasets",
    "load",
    "nn",
    "train",
]

_HOMES = {
    "AssayError": "assay.errors",
    "InternalError": "assay.errors",
    "UserError": "assay.errors",
    "Model": "assay.model",
    "load": "assay.estimator",
    "train": "assay.estimator",
    "Recipe": "assay.recipe",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `import assay` stays fast."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in ("nn", "datasets"):
        return importlib.import_module(f"assay.{name}")
    raise AttributeError(f"module 'assay' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
