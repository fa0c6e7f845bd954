# What a person and CI run here; `make help` lists it. Everything installs into .venv first.
PYTHON ?= python3
SECONDS ?=
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq
LOCK := $(BIN)/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url

.DEFAULT_GOAL := help
.PHONY: help demo run test unit check lint types floors dockerfile locks bench docs lock clean

help: ## this list
	@sed -nE 's/^([a-z.]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.venv: .venv/.installed ## install the gateway and its tools; leaves .venv/bin/gateway

# pyproject.toml for its entry points and package data, __init__.py for the version.
.venv/.installed: pyproject.toml requirements-dev.lock gateway/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; say which: make PYTHON=python3.12")'
	@echo "installing into .venv"
	@$(PYTHON) -m venv .venv
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv ## the daemon with simulated platforms; SECONDS=20 ends it by itself
	@$(BIN)/gateway demo $(if $(SECONDS),--seconds $(SECONDS))

run: .venv ## the daemon on ./config.toml
	@$(BIN)/gateway migrate --config config.toml
	@$(BIN)/gateway serve --config config.toml

test: .venv ## the whole test suite, PostgreSQL included; ARGS='-k calls'
	@$(BIN)/python -m tests.support.postgres || $(PIP) --require-hashes -r requirements-postgres.lock
	@$(BIN)/pytest -n auto --maxprocesses 4 --maxschedchunk 1 $(ARGS)

unit: .venv ## the tests that need no PostgreSQL and start no process
	@$(BIN)/pytest -m 'not postgres and not process and not slow' $(ARGS)

check: lint types floors dockerfile locks ## style, types, floors, Dockerfile and locks

lint: .venv
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { $(BIN)/ruff format --diff --quiet; exit 1; }
	@echo "style: fine"

types: .venv
	@$(BIN)/mypy --no-error-summary
	@echo "types: fine"

floors: .venv
	@$(BIN)/lint-imports --no-logo

dockerfile: .venv
	@$(BIN)/hadolint Dockerfile
	@echo "Dockerfile: fine"

# A lock names packages and hashes only: whoever installs chooses the index.
locks:
	@! grep -nvE '^([A-Za-z0-9._-]+==[^ /]+( ; [^/:]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|    # ?[^/]*)$$' \
		requirements*.lock
	@echo "locks: fine"

bench: .venv ## the benchmarks of tests/bench, as a table
	@$(BIN)/python -m tests.bench $(ARGS)

docs: .venv ## write anew the pages that are made of the code
	@$(BIN)/python -m tests.support.pages

lock: .venv ## resolve the requirements anew; ARGS=--upgrade takes the newest
	@$(LOCK) $(ARGS) pyproject.toml -o requirements.lock
	@$(LOCK) $(ARGS) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	@$(LOCK) $(ARGS) --group build -c requirements-dev.lock -o requirements-build.lock
	@$(LOCK) $(ARGS) --group postgres -c requirements-dev.lock -o requirements-postgres.lock

clean: ## remove what was installed and built; var/ with its data stays
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
