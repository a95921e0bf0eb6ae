# Every target makes its own virtual environment when it is missing or out of date.
PYTHON ?= python3
VENV ?= .venv
DEMO_PORT ?= 8000
BIN = $(VENV)/bin
INSTALL = $(PYTHON) -m venv $(VENV) && $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e
HARBOUR = $(BIN)/python examples/harbour/manage.py
# Tests of a module stay together, so that most servers they share are started once.
TWICE = -n 2 --dist worksteal

# The interpreters that tests start would compile all of fairway, each again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test-fast test test-full test-full-only lint docs bench
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/demo.stamp  ## the chat room on http://127.0.0.1:8000/ (DEMO_PORT moves it)
	$(HARBOUR) migrate --verbosity 0
	$(HARBOUR) runserver 127.0.0.1:$(DEMO_PORT)

test-fast: $(VENV)/test.stamp  ## tests that need less than a minute
	HYPOTHESIS_PROFILE=quick $(BIN)/pytest $(TWICE) -m "not standard and not full"

test: lint  ## lint and all tests but the full tier
	$(BIN)/pytest $(TWICE) -m "not full"

test-full: test test-full-only  ## everything

test-full-only: $(VENV)/test.stamp  ## what `make test` left out
	$(BIN)/pytest -m full

lint: $(VENV)/test.stamp  ## style, types, import contracts, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

docs: $(VENV)/test.stamp  ## the manual in docs/_build/html, warnings are errors
	$(BIN)/sphinx-build -W --keep-going -n -q -b html docs docs/_build/html

bench: $(VENV)/bench.stamp  ## fairway beside its peers, in some ten minutes
	$(BIN)/python benchmarks/run.py

$(VENV)/demo.stamp: pyproject.toml constraints.txt
	$(INSTALL) '.[redis]'
	touch $@

$(VENV)/bench.stamp: pyproject.toml constraints.txt
	$(INSTALL) '.[bench]'
	touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt
	$(INSTALL) '.[all,dev]'
	touch $@ $(VENV)/demo.stamp
