# make explore: set everything up, then run the main job.  make test: set everything up, then run every test.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
ARGS ?=

.PHONY: explore test setup lint check-tools clean
.DEFAULT_GOAL := explore

explore: setup
	$(VENV)/bin/codesign explore $(ARGS)

test: setup
	$(PY) -m pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=85 $(ARGS)

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

$(STAMP): pyproject.toml constraints.txt | check-tools
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
