"""`python -m assay`: the command where no script is on the path."""

from assay.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
