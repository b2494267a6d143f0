"""Networks: populations of members in one tensor program.

`Population` can be used by itself:

    >>> import torch
    >>> from assay.nn import Population
    >>> Population(2, n_inputs=3, hidden=(4,), n_outputs=2)(torch.zeros(1, 3)).shape
    torch.Size([2, 1, 2])
"""

from assay.nn.network import Network
from assay.nn.population import Population, PopulationLinear

__all__ = ["Network", "Population", "PopulationLinear"]
