# One command per task; `make` alone lists them. Needs Python 3.11 or newer, and nothing else.
# Another Python: make PYTHON=python3.12 run · another folder for the demo lake: make LAKE=/srv/lake run

PYTHON ?= python3
LAKE ?= data
PORT ?= 3000
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Dagster wants an absolute folder that exists. An exported one is another project's: only `make DAGSTER_HOME=…` counts.
DAGSTER_HOME := $(CURDIR)/.dagster
DAGSTER := DAGSTER_HOME="$(DAGSTER_HOME)" DAGSTER_DISABLE_TELEMETRY=yes LAKEHOUSE_ROOT="$(abspath $(LAKE))" \
  LAKEHOUSE_REPORTS="$(CURDIR)/reports" \
  LAKEHOUSE_ENV_FILE="$(or $(LAKEHOUSE_ENV_FILE),$(CURDIR)/.env)"
# Every extra. torch has its version here: left free, pip takes the newest one, with gigabytes of CUDA.
EVERYTHING := .[all,bench,dev,postgres] torch==2.13.0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two installs into one environment would trip over each other.
.NOTPARALLEL:
.PHONY: help run ui test lint format bench bench-exports bench-gates bench-retrieval bench-validators soak constraints clean home

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/installed-base home ## make a sample lake in ./data, run the whole chain on it, say where to look
	@$(DAGSTER) $(BIN)/lakehouse demo "$(LAKE)" $(ARGS)

# Started in DAGSTER_HOME: beside another dagster.yaml, Dagster warns that it does not use that one.
ui: .venv/installed-base home ## open the Dagster UI on the sample lake (make ui PORT=3000)
	@cd "$(DAGSTER_HOME)" && exec env $(DAGSTER) PYTHONWARNINGS='ignore:Function `dev_command` is superseded' \
	  "$(CURDIR)/$(BIN)/dagster" dev --workspace "$(CURDIR)/workspace.yaml" --port $(PORT) $(ARGS)

test: .venv/installed-dev ## run the tests (make test ARGS='-n 0 -k firewall')
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: .venv/installed-dev ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed-dev ## mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed-bench ## print the speed of the chain beside its peers
	@$(BIN)/python benchmarks/chain.py $(ARGS)

bench-exports: .venv/installed-bench ## print the speed of near-duplicates, decontamination and publishing beside their peers
	@$(BIN)/python benchmarks/exports.py $(ARGS)

bench-gates: .venv/installed-bench ## print what the gates cost beside the chain that they guard
	@$(BIN)/python benchmarks/gates.py $(ARGS)

bench-retrieval: .venv/installed-bench ## print the speed of search beside its peers
	@$(BIN)/python benchmarks/retrieval.py $(ARGS)

bench-validators: .venv/installed-bench ## print how many payloads are validated a second, over 100,000 workers
	@$(BIN)/python benchmarks/validators.py $(ARGS)

soak: .venv/installed-bench ## kill the chain again and again and check what it leaves
	@$(BIN)/python benchmarks/soak.py $(ARGS)

constraints: ## resolve every extra anew and pin what was found
	@rm -rf .venv/resolve && $(PYTHON) -m venv .venv/resolve
	@echo "Resolving every extra; this takes minutes ..."
	@.venv/resolve/bin/python -m pip --disable-pip-version-check --no-input install -qq $(EVERYTHING)
	@.venv/resolve/bin/python -m pip check
	@{ echo "# The versions that were tested together, with every extra. Made by \`make constraints\`; do not edit by hand."; \
	   .venv/resolve/bin/python -m pip freeze --all --exclude pip --exclude lakehouse-dagster \
	   | sed -nE 's/^([A-Za-z0-9._-]+==[^+ ]+).*/\1/p'; } > constraints.new
	@mv constraints.new constraints.txt && rm -rf .venv/resolve
	@echo "constraints.txt: $$(grep -c == constraints.txt) versions"

clean: ## remove the environment and caches; a lake and the history of its runs stay
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find lakehouse resources assets lakehouse_dagster tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

home:
	@mkdir -p "$(DAGSTER_HOME)" && cp dagster.yaml "$(DAGSTER_HOME)/dagster.yaml"

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	       "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 2; }

# One stamp per set of extras, made anew when what it was installed from changes.
.venv/installed-base: EXTRAS :=
.venv/installed-dev: EXTRAS := [dev,retrieval,chat]
.venv/installed-bench: EXTRAS := [bench,retrieval]
.venv/installed-%: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing lakehouse-dagster$(EXTRAS) into .venv ..."
	@$(PIP) install -qq --constraint constraints.txt --editable '.$(EXTRAS)'
	@touch $@
