"""When the garbage collector goes over what is imported."""

import contextlib
import gc
from collections.abc import Iterator

_keeps_imports = False


def keep_imports() -> None:
    """Set aside for good what there is, and what is imported under `uncollected` from now on.

    For a process that is ours alone and ends soon, as the command's: in one of somebody
    else, garbage that the collector has not met yet would be set aside as well.
    """
    global _keeps_imports
    _keeps_imports = True
    gc.freeze()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector rest while large libraries are imported.

    It would go over all that they make, again and again, and find nothing to free: 0.2 s
    of 1.4 s for PyTorch, 0.3 s of 1.0 s for scikit-learn. After `keep_imports` they are
    set aside: the first collections afterwards would take 0.2 s.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if _keeps_imports:
            gc.freeze()
        if was_enabled:
            gc.enable()
