# Every target sets itself up: the first `make anything` builds .venv from the lock file.
# Needs only make, a POSIX shell and Python >= 3.11 with venv; `make PYTHON=python3.12 test` picks one.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
LOCK := requirements/lock.txt
# The last file written stands for all of them.
SAMPLES := samples/input/films/evening.mp4

# Chinese text must come out of a machine whose locale is C as well.
export PYTHONUTF8 := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
# In order even under -j: pytest's closing line is the last thing `make test` prints.
.NOTPARALLEL:
.PHONY: help setup demo samples test lint type unit format bench bench-full lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## .venv with the pinned tools and this project, editable

demo: samples  ## label the sample pictures, sounds and film, verify them, show before and after
	@sh samples/demo.sh $(VENV)/bin

samples: $(SAMPLES)  ## the pictures, sounds and film of the demo, in samples/input

test: lint type unit  ## everything CI runs

lint: $(READY)  ## style, format and the direction of imports
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports

type: $(READY)  ## mypy, strict
	$(PY) -m mypy

unit: $(READY)  ## the tests alone
	$(PY) -m pytest -n auto --maxprocesses 4

format: $(READY)  ## rewrite the sources in the project's format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(READY)  ## the quick benchmark
	$(PY) -m benchmarks

bench-full: $(READY)  ## the whole benchmark, with the peers
	$(PY) -m benchmarks --full

# Run it with the oldest supported Python, so that every pin exists for all of them.
lock:  ## refresh requirements/lock.txt
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/python -m piptools compile --quiet --upgrade \
		--strip-extras --allow-unsafe --all-build-deps --all-extras \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file $(LOCK) pyproject.toml

clean:  ## remove everything make has made, .venv too
	rm -rf $(VENV) build dist samples/input samples/out *.egg-info
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SAMPLES): $(READY) samples/make_samples.py samples/make_sounds.py samples/make_films.py
	$(PY) samples/make_samples.py samples/input
	$(PY) samples/make_sounds.py samples/input
	$(PY) samples/make_films.py samples/input

# What is no whole environment (interrupted, or its Python is gone or too old) is made anew.
$(READY): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "aiglabel needs Python 3.11 or later as '$(PYTHON)'. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv is missing. On Debian and Ubuntu: sudo apt install python3-venv" >&2; \
		exit 1; }
	@$(PY) -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix or sys.version_info < (3, 11))' \
		2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install --quiet -r $(LOCK)
	$(PY) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
