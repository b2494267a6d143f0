"""Networks: populations of members in one tensor program.

`Population` can be used by itself:

    >>> import torch
    >>> from assay.nn import Population
    >>> Population(2, n_inputs=3, hidden=(4,), n_outputs=2)(torch.zeros(1, 3)).shape
    torch.Size([2, 1, 2])
"""

import importlib

TYPE_CHECKING = False  # as in `assay`
if TYPE_CHECKING:
    from assay.nn.network import Network
    from assay.nn.population import Population, PopulationLinear

__all__ = ["Network", "Population", "PopulationLinear"]

_HOMES = {
    "Network": "assay.nn.network",
    "Population": "assay.nn.population",
    "PopulationLinear": "assay.nn.population",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: some files here need no PyTorch."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'assay.nn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
