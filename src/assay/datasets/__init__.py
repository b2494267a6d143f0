"""The small tables that ship inside the package.

`path` finds a shipped file, `make_people` draws a table of any size. The demo,
the recipes of the same names, the README and the tests use them; SOURCES.md
beside this file tells where each came from and under which licence.
"""

from assay.datasets.people import make_people
from assay.datasets.shipped import names, path

__all__ = ["make_people", "names", "path"]
