# make explore: set everything up, then run the main job.  make test: set everything up, then run every test.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
ARGS ?=
# What pip does, a line a package; a failure of pip is one of the pipe.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
STEPS := sed -nu -e 's/^Collecting \([^ ]*\).*/  \1/p' -e 's/^Installing collected.*/  installing/p'

.PHONY: explore test coverage setup lint lock check-tools clean
.DEFAULT_GOAL := explore

explore: setup
	$(VENV)/bin/codesign explore $(ARGS)

test: setup
	$(PY) -m pytest -n 2 --dist worksteal $(ARGS)

# The same with lines counted, which takes half as long again.
coverage: ARGS += --cov --cov-report=term:skip-covered --cov-fail-under=85
coverage: test

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m rtl_templates.lint

setup: $(STAMP)

# Each missing program is told in one line, with the command that installs it.
check-tools:
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed ($$($(PYTHON) -V) found): apt-get install python3.11 python3.11-venv, then make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@for tool in g++ perl make; do command -v $$tool >/dev/null || \
	  { echo "$$tool is missing: apt-get install $$tool" >&2; exit 1; }; done

# Every file that is installed is named by version and hash (--require-hashes), and nothing else is (--no-deps): SECURITY.md.
PIP := $(PY) -m pip --disable-pip-version-check
INSTALL := $(PIP) install --progress-bar off --require-hashes --no-deps
LOCKS := constraints.txt constraints-torch.txt constraints-torch-cpu.txt

$(STAMP): pyproject.toml $(LOCKS) | check-tools
	@echo "setup 1/5: a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "setup 2/5: $$(grep -c == constraints.txt) packages, checked by hash (some hundred MB, some minutes)"
	@$(INSTALL) -r constraints.txt | $(STEPS)
	@echo "setup 3/5: torch, checked by hash; its CPU build where pip knows one (some 200 MB)"
	@$(INSTALL) -r constraints-torch-cpu.txt 2>/dev/null | $(STEPS) || { \
	  echo "  no such CPU build where pip looks: the package index's, on Linux with CUDA (gigabytes)"; \
	  $(INSTALL) -r constraints-torch.txt | $(STEPS); }
	@echo "setup 4/5: codesign itself, in place"
	@$(PIP) install --quiet --no-index --no-deps --no-build-isolation -e .
	@$(PIP) check
	@echo "setup 5/5: machine code of cost model and mapper (about a minute)"
	@$(PY) -m codesign.providers.cost.compile_ahead
	@touch $@

# Versions and hashes anew, after a change of pyproject.toml; `make lock ARGS=--upgrade` takes newer ones.
lock:
	$(PYTHON) .ci/lock.py $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
