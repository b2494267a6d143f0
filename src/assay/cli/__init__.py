"""The command `assay`: options in, one-line errors and an exit status out.

Each verb has a file of its name. Their modules import typer and the standard
library only, so that `assay --help` is quick; a verb imports what it needs when
it runs.
"""

try:
    from assay.cli.entry import main
except KeyboardInterrupt:  # so early that `main` cannot tell
    raise SystemExit(130) from None

__all__ = ["main"]
