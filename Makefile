# Everything runs in .venv, which the first target makes; `make` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CONTACTS ?= examples/kontakte.csv

.DEFAULT_GOAL := help
.PHONY: help install test lint chaos demo dev fmt clean

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: $(VENV)/.installed  ## make .venv with everything in it

lint: install    ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint       ## lint, then all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

chaos: install   ## a mass mail while everything breaks: nobody twice, nobody lost (3 minutes)
	$(BIN)/python -m benchmarks.chaos --mails 2000 --kills 6 --storm 5 --zombies 1

bench: install   ## how fast a mass mail goes out, beside a plain sender and the server's limit
	$(BIN)/python -m benchmarks.throughput

demo: install    ## a whole mass mail with follow-ups in a minute (CONTACTS=your.csv)
	$(BIN)/python -m starter demo --contacts "$(CONTACTS)"

dev: install     ## the same environment, kept up until Ctrl-C
	$(BIN)/python -m starter dev

fmt: install     ## sort imports, mend what ruff can mend
	$(BIN)/ruff check --fix .

clean:           ## remove .venv and what runs left behind
	rm -rf $(VENV) .serienmail build *.egg-info
