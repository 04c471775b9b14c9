# SPDX-License-Identifier: Apache-2.0
# Everything a person or CI does here. Needs python3 (3.11 or later) with pip, make and a network for the first time;
# `make run` and `make test` set the rest up by themselves, and a second time costs nothing.

PYTHON ?= python3
SHELL := /bin/sh
UV := .tools/bin/uv
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
LOCKED := requirements.lock pyproject.toml hatch_build.py package-lock.json

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run demo test check fix bench chaos reference assets lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/ready-to-run ## Start everything on this machine and keep it running (Ctrl-C stops it)
	@exec $(BIN)/putright up

demo: .venv/ready-to-run ## The same with a demonstration agency: three years of made-up complaints
	@exec $(BIN)/putright up --demo

test: .venv/ready-to-test .venv/browser ## Set up and run every test (the long forms: make chaos)
	$(PYTEST) -m "not browser and not chaos and not long" -n 2 --dist loadfile
	$(PYTEST) -m "browser and not long" tests/browser
	$(PYTEST) -m "chaos and not long" tests/chaos

test-%: .venv/ready-to-test ## One kind of tests, by its folder in tests/
	$(PYTEST) tests/$*

check: .venv/ready-to-test ## What must hold before a commit: format, lint, types, imports, documents, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m run.reference --check
	$(BIN)/python -m run.migrate --check

fix: .venv/ready-to-test ## Mend what can be mended by itself: format, simple lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/ready-to-test ## Measure what we claim
	$(BIN)/python -m benchmarks

chaos: .venv/ready-to-test ## Kill everything in mid-flight, at length
	$(PYTEST) -m chaos tests/chaos

reference: .venv/ready-to-test ## Write the generated pages of docs/reference
	$(BIN)/python -m run.reference

assets: .venv/ready-to-test ## Bring the browser parts in again
	rm -rf api/static/vendor tests/vendor
	$(UV) pip install --python $(BIN)/python --no-deps --reinstall-package putright --editable .

lock: $(UV) ## Write the lock files anew from pyproject.toml
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	    --output-file requirements.lock
	$(UV) pip compile pyproject.toml --extra dev --constraint requirements.lock --universal --python-version 3.11 \
	    --generate-hashes --no-header --quiet --output-file requirements-dev.lock
	npm install --package-lock-only --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved
	@if grep -n '://' requirements.lock requirements-dev.lock package-lock.json; then \
	    echo 'A lock file names an address; take it out: everybody installs from the registry of their own.'; exit 1; fi

clean: ## Remove what was installed and built here; data in var/ stay
	rm -rf .venv .tools node_modules api/static/vendor tests/vendor dist test-results
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Setting up. Each stamp is newer than what it was made from, or the step is done again.

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'Putright needs Python 3.11 or later; name one: make run PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || \
	    { echo 'Putright is installed with pip, which $(PYTHON) does not have; install python3-pip first.'; exit 1; }
	@echo 'Setting up: the installer …'
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools 'uv>=0.9'

$(BIN)/python: | $(UV)
	@$(UV) venv --quiet --python "$$(command -v $(PYTHON))" .venv

.venv/ready-to-run: $(LOCKED) | $(UV) $(BIN)/python
	@echo 'Setting up: the parts named in requirements.lock …'
	@$(UV) pip install --python $(BIN)/python --require-hashes --requirements requirements.lock
	@$(UV) pip install --python $(BIN)/python --no-deps --editable .
	@touch $@

.venv/ready-to-test: requirements-dev.lock .venv/ready-to-run
	@echo 'Setting up: the parts named in requirements-dev.lock …'
	@$(UV) pip install --python $(BIN)/python --require-hashes --requirements requirements-dev.lock
	@touch $@

# A browser for the tests: the machine's, else the system's package, else the one Playwright brings.
.venv/browser: | .venv/ready-to-test
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo 'Setting up: a browser for the tests …'; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else \
	    echo 'Setting up: a browser for the tests …'; $(BIN)/playwright install chromium; \
	fi || { echo 'The tests need Chromium, and none could be installed; install it and run make test again.'; exit 1; }
	@touch $@
