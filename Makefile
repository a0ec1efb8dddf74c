# Everything a person or CI does with a checkout of joinbridge; `make` lists it. Needs python3 (3.11 or newer) and nothing else.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
.SHELLFLAGS := -euc
# What is compiled is kept, whatever the environment says: tests start the program some hundred times.
unexport PYTHONDONTWRITEBYTECODE

ARGS ?=
WORKERS ?= auto
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# What decides what an environment holds: the stamps below are out of date when one of these is newer.
PROJECT := pyproject.toml src/joinbridge/__init__.py requirements/build.txt requirements/runtime.txt
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
QUICK := tests/unit tests/properties tests/planted tests/fuzz
PYTEST := $(BIN)/python -m pytest
# What a file sets up for its tests takes longer than they do: one worker takes the whole file; the long ones come first.
BY_FILE := --dist loadfile --no-loadscope-reorder
# The pure rooms are measured by their own tests alone: what only a rehearsal walks through nobody has thought of.
PURE := tests/unit/core tests/unit/wire
COVER := --cov=joinbridge.core --cov=joinbridge.wire --cov-branch --cov-fail-under=100 --cov-report=term-missing:skip-covered

## demo: find, prove and record lost answers in a simulated estate (ARGS="--homes 2000 --seed 7")
.PHONY: demo
demo: install
	@$(BIN)/joinbridge demo $(ARGS)

## test: run all tests (ARGS="-k join")
.PHONY: test
test: $(DEV) services
	@$(PYTEST) -n $(WORKERS) $(BY_FILE) -m "not bench and not faults and not nation" $(ARGS)

## faults: kill everything around a deployed sidecar, one thing after the other; some 10 minutes
.PHONY: faults
faults: $(DEV) services
	@$(PYTEST) tests/faults -n $(WORKERS) -m faults $(ARGS)

## nation: five thousand homes (NATION_HOMES=), and everything dies in turn; some 10 minutes, and the machine to itself
.PHONY: nation
nation: $(DEV) services
	@$(PYTEST) tests/faults -m nation $(ARGS)

## check: lint, format, types, imports, quick tests; run it before each commit
.PHONY: check
check: $(DEV)
	@$(MAKE) --no-print-directory --keep-going --output-sync=target -j2 types quick-tests imports lint
	@$(BIN)/python tools/largest.py

## prove: every proof at full length, which takes hours; writes docs/reliability.md (ARGS="--share 0.1 --only simulation")
.PHONY: prove
prove: $(DEV) services
	@$(BIN)/python tools/prove.py $(ARGS)

## bench: measure the codecs and the step (never judges)
.PHONY: bench
bench: $(DEV)
	@$(PYTEST) tests/bench -m bench --benchmark-only $(ARGS)

## bench-deployed: measure the deployed sidecar beside a ceiling and the obvious alternative; writes docs/benchmarks.md
.PHONY: bench-deployed
bench-deployed: $(DEV) services
	@PYTHONPATH=tests $(BIN)/python tests/bench/compare.py $(ARGS)

## coverage: fail unless the tests of core and wire take every branch of core and wire
.PHONY: coverage
coverage: $(DEV)
	@$(PYTEST) --quiet $(PURE) -n $(WORKERS) $(COVER)

## format: put the code into its format, and fix what the linter can fix
.PHONY: format
format: $(DEV)
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

## docs: make the reference in docs/ from the code anew
.PHONY: docs
docs: $(RUNTIME)
	@$(BIN)/python -m joinbridge.ops.reference docs

## lock: choose dependency versions anew where pyproject.toml asks for it (ARGS="--upgrade")
.PHONY: lock
lock: $(DEV)
	@$(BIN)/python tools/lock.py $(ARGS)

## services: install the servers that the tests start for themselves (Debian; as root or with sudo)
.PHONY: services
services:
	@sh tools/install-services.sh

## wheel: build the wheel and run it in an environment of its own
.PHONY: wheel
wheel: $(DEV)
	@sh tools/try-wheel.sh

## install: make .venv with joinbridge and what it needs to run
.PHONY: install
install: $(RUNTIME)

## install-dev: the same with everything that tests and checks need
.PHONY: install-dev
install-dev: $(DEV)

## clean: remove all that was made here, .venv too
.PHONY: clean
clean:
	@rm -rf $(VENV) build dist out .coverage .coverage.* coverage.xml .benchmarks .hypothesis
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

## help: this list
.PHONY: help
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target text; do \
		printf '  make %-14s %s\n' "$$target" "$$text"; \
	done

# The parts of check, each with its own verdict.

.PHONY: lint
lint: $(DEV)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "Not in format: run make format." >&2; exit 1; }
	@echo "lint and format: fine"

.PHONY: types
types: $(DEV)
	@$(BIN)/mypy --no-error-summary
	@echo "types: fine"

.PHONY: imports
imports: $(DEV)
	@$(BIN)/lint-imports

.PHONY: quick-tests
quick-tests: $(DEV)
	@HYPOTHESIS_PROFILE=dev $(PYTEST) --quiet -n auto -m "not bench and not faults and not nation and not slow" $(QUICK)

# The environment. Paths are relative, so that a checkout may live in a folder with spaces in its name.

$(BIN)/python:
	@sh tools/make-venv.sh

$(RUNTIME): $(PROJECT) | $(BIN)/python
	@echo "Installing joinbridge and what it needs to run ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	@echo "Installing what tests and checks need ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/dev.txt
	@touch $@
