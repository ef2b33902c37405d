# Needs Python 3.11 or later, make and git. What else is needed is installed below this folder, as uv.lock has it.
#
#   make demo    a simulated contact centre, captured and built         ARGS="--days 3 --agents 100"
#   make test    lint, types, and every test; those of pages where Chromium is at /usr/bin/chromium   COVERAGE=1
#   make test-ui the pages in that browser alone
#   make lint    the first two alone
#   make test-duckdb-1   the SQL models on DuckDB 1.5, whose extensions for object stores 2.0 does not have yet
#   make docs    write docs/data-dictionary.md anew from the SQL models
#   make bench   Shiftbook beside other ways of doing the same work

.DEFAULT_GOAL := help
.PHONY: help demo test test-ui no-ui test-duckdb-1 lint docs bench install install-dev install-ui install-bench

PYTHON ?= python3
UV ?= $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
CHROMIUM := /usr/bin/chromium
PAGES := $(if $(wildcard $(CHROMIUM)),tests/ui)
# Three share two cores, since those that start servers and recorders wait for much of their time.
SHARED := -n 3 --dist loadfile --no-loadscope-reorder
# --inexact: `make demo` after `make test` must not take the test tools away again.
SYNC := $(UV) sync --locked --inexact --quiet

export UV_PROJECT_ENVIRONMENT := .venv
unexport VIRTUAL_ENV
# Compiling Dagster anew takes each of the many processes two seconds: what is installed here is compiled once.
unexport PYTHONDONTWRITEBYTECODE

help:
	@sed -n 's/^#   //p' Makefile

demo: install
	$(BIN)/shiftbook demo $(ARGS)

# What coverage is measured of: tests/conftest.py. It costs a quarter more time.
test: lint $(if $(PAGES),install-ui,no-ui)
	$(BIN)/pytest tests/unit tests/contract tests/pipeline tests/models tests/property $(PAGES) $(SHARED) \
		$(if $(COVERAGE),--cov) $(ARGS)

test-ui: install-ui
	$(BIN)/pytest tests/ui $(ARGS)

test-duckdb-1: $(filter .uv/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-duckdb-1 $(SYNC) --group dev
	$(UV) pip install --quiet --python .venv-duckdb-1/bin/python "duckdb>=1.5,<2"
	.venv-duckdb-1/bin/pytest --quiet -n 2 tests/models $(ARGS)

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: install-dev
	$(BIN)/python docs/generate.py

bench: install-bench
	$(BIN)/python -m benchmarks $(ARGS)

install: $(filter .uv/bin/uv,$(UV))
	$(SYNC)

install-dev: $(filter .uv/bin/uv,$(UV))
	$(SYNC) --group dev

install-ui: $(filter .uv/bin/uv,$(UV))
	$(SYNC) --group dev --group ui

no-ui:
	@echo "the tests of pages, tests/ui, need Chromium at $(CHROMIUM) and are NOT run"

install-bench: $(filter .uv/bin/uv,$(UV))
	$(SYNC) --group dev --group bench

# Where uv is not on the PATH, it is put into an environment of its own.
.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
