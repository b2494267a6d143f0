# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test check audit format bench peers torture

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/'

setup: $(STAMP)  ## make .venv and install the pinned versions into it

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP)  ## train, test and use a model on the passengers of the Titanic
	$(BIN)/assay demo titanic

test: $(STAMP)  ## run every test, doctests and README blocks included
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

check: $(STAMP)  ## format, lint, types, import order, and the examples in the docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --quiet src tests/test_readme.py tests/test_supply.py
	$(BIN)/python benchmarks/audit.py --if-reachable

audit: $(STAMP)  ## ask whether a pinned package has a known hole; needs the network
	$(BIN)/python benchmarks/audit.py

format: $(STAMP)  ## rewrite the code in the one format
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

peers:  ## install what benchmarks/accuracy.py compares with, into .venv-peers
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check \
	    -r benchmarks/peers.txt

bench: $(STAMP)  ## run the benchmarks that need no files, and print their figures
	@for name in start_up population_speed encode_speed memory recipes_of_the_tutorials; do \
	    echo "== $$name"; $(BIN)/python "benchmarks/$$name.py" || exit 1; \
	done

SUITES := pollution fuzz_readers fuzz_model model_file mutation kill_saving kill_training disk_full faults values bombs

torture: $(STAMP)  ## attack assay for hours, see benchmarks/torture/README.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    -c constraints.txt -e '.[dev,fuzz]'
	@broken=; for name in $(SUITES); do \
	    echo "== $$name"; \
	    $(BIN)/python "benchmarks/torture/$$name.py" --out benchmarks/results/torture.jsonl \
	        || broken="$$broken $$name"; \
	done; test -z "$$broken" || { echo "broken:$$broken"; exit 1; }
