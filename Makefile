# genlab. `make lab` opens the course, `make test` tests it; both start from a fresh clone. `make help` lists the rest.
#
# Options, given after the target as NAME=value:
#   PYTHON     the Python 3.11 or newer that makes the environment (found by itself when there is one on the path)
#   PIP_ARGS   passed to every `pip install`, for example an index of CPU builds of torch
#   LAB_ARGS   passed to JupyterLab, for example "--no-browser --port=8899"
#   DEMO_ARGS  passed to `genlab demo`, for example "--no-browser --port 9000"
#   LOCK_ARGS  with `make lock`: passed to uv, for example "-c old.txt"
#   MUTANTS    with `make mutants`: only tests/mutants/NAME.toml
#   PART       with `make mutants` or `make random-mutants`: only one part of them, as in 2/4
#   SEED       with `make random-mutants`: which sample
#   NOTEBOOKS  with `make notebooks`: only these
#   BASE       with `make test-changed`: the change is what came after it (main)
#   SRC        with `make build`: only these texts
#   ROWS       with `make bench`: only rows whose names contain one of these words
#   WORKERS    how many tests run at a time (2)
#   BROWSERS   how many browser tests run at a time (one more than WORKERS: they wait a lot)
#   THREADS    how many threads torch has in each of them (1); results must hold with 1 and with 2

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?=
PIP_ARGS ?=
LAB_ARGS ?=
DEMO_ARGS ?=
LOCK_ARGS ?=
MUTANTS ?=
PART ?= 1/1
SEED ?= 21
WORKERS ?= 2
BROWSERS ?= $(shell expr $(WORKERS) + 1)
THREADS ?= 1
ROWS ?=
NOTEBOOKS ?= notebooks
BASE ?= main

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# One thread a worker: two workers with two threads each get in each other's way on a small machine, and threads that wait do not turn
# in circles there. Byte code is kept, whatever the environment says: watched annotations make each worker compile both packages anew
# otherwise.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=$(THREADS) GENLAB_THREADS=$(THREADS) $(PY) -m pytest
NBVAL := -p tests.notebooks.nbval_plugin --nbval --nbval-current-env --nbval-cell-timeout 120 \
         --nbval-sanitize-with tests/notebooks/sanitize.cfg
PORTABLE := $(wildcard $(addprefix notebooks/,03_* 05_* 09_* 12_* 15_*))
# What Voila starts finds the environment's commands, as what `genlab lab` starts does.
IN_ENV := PATH="$(CURDIR)/$(BIN):$$PATH"

##@ The course

.PHONY: lab
lab: $(VENV)/.lab ## Open your copies of the lessons in JupyterLab, at the start page
	$(BIN)/genlab lab $(LAB_ARGS)

.PHONY: demo
demo: $(VENV)/.demo ## Serve the instructor's pages with Voila: one a notebook, large print, no code
	$(IN_ENV) $(BIN)/genlab demo build/demo $(DEMO_ARGS)

.PHONY: site
site: $(VENV)/.site ## Write the course as pages that need no network: build/site/index.html
	$(PY) docs/site.py build/site

.PHONY: book
book: $(VENV)/.dev ## Print the course as one PDF with headless Chromium: build/book.pdf; ten minutes
	$(PY) docs/book.py build/book.pdf

.PHONY: modules
modules: $(VENV)/.lab ## Write the living figures as single files for pages of your own: build/modules/example.html
	$(PY) docs/modules.py build/modules

##@ Tests

.PHONY: test
test: $(VENV)/.dev lint ## Lint, types, layers, unit tests, all notebooks, the browser; `make verify` has what takes long and seldom breaks
	@$(MAKE) -j 2 types unit
	@$(MAKE) notebooks
	@$(MAKE) browser

.PHONY: test-fast
test-fast: $(VENV)/.dev lint types ## Like make test, without notebooks, browser and slow tests; four minutes
	$(PYTEST) -n $(WORKERS) -m "not slow and not notebook and not browser and not verify and not planted and not statistics"

# Tests and notebooks that the change since BASE can reach; what cannot be followed reaches everything.
.PHONY: test-changed
test-changed: $(VENV)/.dev lint types ## Like make test, but only what the change since BASE (main) can reach
	@tests="$$($(PY) tests/changed.py tests $(BASE))"; notebooks="$$($(PY) tests/changed.py notebooks $(BASE))"; \
	[ -z "$$tests" ] || $(PYTEST) -n $(WORKERS) --dist worksteal -m "not verify and not planted and not statistics and not tour" $$tests \
	|| [ $$? -eq 5 ]; \
	[ -z "$$notebooks" ] || $(PYTEST) $(NBVAL) -n $(WORKERS) --dist loadfile $$notebooks

.PHONY: unit
unit: $(VENV)/.dev
	$(PYTEST) -n $(WORKERS) --dist worksteal -m "not browser and not verify and not planted and not statistics"

.PHONY: verify
verify: $(VENV)/.dev ## What takes long and seldom breaks: every model card measured again, models on another device, every demo page, the wheel in an empty folder
	$(PYTEST) -n $(WORKERS) --dist worksteal -m verify tests

.PHONY: notebooks
notebooks: $(VENV)/.dev ## Run every notebook and compare its outputs; prints time and memory
	$(PYTEST) $(NBVAL) -n $(WORKERS) --dist loadfile $(NOTEBOOKS)

.PHONY: browser
browser: $(VENV)/.dev ## Open a lesson and type an answer into it, three demo pages, the start page and the site in headless Chromium
	$(PYTEST) -n $(BROWSERS) --dist loadgroup -m "browser and not tour" tests/browser

.PHONY: tour
tour: $(VENV)/.dev ## The same for every lesson, lab and demo page; a quarter of an hour
	$(PYTEST) -n $(BROWSERS) --dist load --maxschedchunk 1 -m browser tests/browser

.PHONY: demo-check
demo-check: $(VENV)/.dev ## Only the demo pages of `make browser`; WORKERS=1 where their delays matter
	$(PYTEST) -n $(WORKERS) --dist load --maxschedchunk 1 -m browser tests/browser/test_demo.py

.PHONY: mutants
mutants: $(VENV)/.dev ## Plant known mistakes one by one and show that a test catches each (MUTANTS=flow for one file)
	$(PY) tests/mutants/run.py --workers $(WORKERS) --part $(PART) $(MUTANTS)

.PHONY: random-mutants
random-mutants: $(VENV)/.dev ## Plant machine-made mistakes, a sample (SEED=22 for another); print how many die, and the survivors
	$(PY) tests/mutants/random_mutants.py --seed $(SEED) --part $(PART)

.PHONY: statistics
statistics: $(VENV)/.dev ## Samplers against their exact distributions over 200 seeds, estimators against theory
	$(PYTEST) -m statistics tests/statistics

.PHONY: portability
portability: $(VENV)/.dev ## The fast tests and five notebooks without vector instructions, then with two threads
	ATEN_CPU_CAPABILITY=default $(MAKE) test-fast notebooks NOTEBOOKS="$(PORTABLE)"
	$(MAKE) test-fast notebooks NOTEBOOKS="$(PORTABLE)" THREADS=2 WORKERS=1

.PHONY: bite
bite: $(VENV)/.dev ## Plant mistakes in every lesson and lab and see the check that names each fail
	$(PYTEST) -n $(WORKERS) -m planted tests/notebooks tests/mutants

##@ Upkeep

.PHONY: setup
setup: $(VENV)/.dev ## Make the environment with everything that developers need

.PHONY: fmt
fmt: $(VENV)/.dev ## Format the code and repair what the linter can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: lint
lint: $(VENV)/.dev ## Check style, format and the layers of the package
	@$(BIN)/ruff check --quiet . || { echo "lint: 'make fmt' repairs most of these"; exit 1; }
	@$(BIN)/ruff format --quiet --check . || { echo "lint: run 'make fmt'"; exit 1; }
	@$(BIN)/lint-imports --no-logo >/dev/null || { $(BIN)/lint-imports --no-logo; exit 1; }

.PHONY: types
types: $(VENV)/.dev ## Check the types of the package
	@$(BIN)/mypy

.PHONY: build
build: $(VENV)/.dev ## Rebuild every notebook from its text (SRC="notebooks/src/02_x.py" for some)
	$(PY) tests/notebooks/build.py $(or $(SRC),$(wildcard notebooks/src/*.py notebooks/*/src/*.py))

# torch is not to be locked, nor the builds of CUDA that one of its many would bring.
.PHONY: lock
lock: $(PY) ## Write requirements.lock again: the newest versions, with their hashes (needs uv)
	{ sed -n '/^#/p' requirements.lock; \
	  uv pip compile --quiet --universal --python-version 3.11.5 --generate-hashes --no-annotate --no-header --all-extras \
	    --override <(echo "torch; sys_platform == 'none'") --no-emit-package torch --no-emit-package setuptools \
	    $(LOCK_ARGS) pyproject.toml <(printf 'sympy\nnetworkx\n'); } > $(VENV)/lock.txt
	mv $(VENV)/lock.txt requirements.lock

##@ Measurements

.PHONY: bench
bench: $(VENV)/.dev ## Time ours beside other libraries, a quarter of an hour (ROWS=decoding for some rows)
	OMP_NUM_THREADS=$(THREADS) $(PY) benchmarks/bench.py $(ROWS)

.PHONY: bench-quality
bench-quality: $(VENV)/.dev ## Train ours, the former recipe and diffusers for 240 processor-seconds each, three seeds: an hour; goes on where it was stopped
	OMP_NUM_THREADS=1 $(PY) benchmarks/quality.py

##@ Housekeeping

.PHONY: clean
clean: ## Remove the environment and every cache, and nothing of yours
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	     /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo

# --- The environment. Each stamp says which extras are installed; a changed pyproject.toml or requirements.lock renews it.

$(PY):
	@python="$(PYTHON)"; \
	for candidate in $${python:-python3 python3.13 python3.12 python3.11 python}; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "genlab needs Python 3.11 or newer. $${python:+$$python is not one. }Install one (python.org, your package"; \
	  echo "manager, or 'conda env create' with environment.yml), then: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; \
	  exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "This Python cannot make a virtual environment. On Debian or Ubuntu: apt install python3-venv"; exit 1; }

# All that developers need is installed with the hashes of requirements.lock, before torch and the course themselves. A learner needs a
# third of it: only the versions then, since pip would ask an editable install for its hash too.
PIP := $(PY) -m pip install --quiet --no-compile $(PIP_ARGS)
define install
	@echo "installing genlab$(1) (the first time: some minutes, and a few GB with a GPU build of torch)"
	@{ $(if $(2),$(PIP) --no-deps --require-hashes -r requirements.lock &&) \
	   sed -e 's/ *\\$$//' -e '/--hash/d' requirements.lock > $(VENV)/versions.txt && \
	   $(PIP) -c $(VENV)/versions.txt -e '.$(1)'; } || { \
	  echo "The installation failed. Is the network up? 'make clean' and a second try start afresh; PIP_ARGS passes options to"; \
	  echo "pip, and requirements.lock lists the tested versions: leave one out there if your system has no build of it."; exit 1; }
	@touch $@
endef

$(VENV)/.lab: $(PY) pyproject.toml requirements.lock
	$(call install,)

$(VENV)/.demo: $(PY) pyproject.toml requirements.lock
	$(call install,[demo])

$(VENV)/.site: $(PY) pyproject.toml requirements.lock
	$(call install,[site])

$(VENV)/.dev: $(PY) pyproject.toml requirements.lock
	$(call install,[test$(comma)reference$(comma)demo$(comma)site$(comma)dev],hashes)
	@touch $(VENV)/.lab $(VENV)/.demo $(VENV)/.site

comma := ,
