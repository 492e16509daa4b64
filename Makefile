# Kvar: every command of the project. `make` alone lists them.
#
# Each command sets up what it needs by itself (deploy/local/setup.sh); that is quick when nothing changed.

SHELL := /bin/sh
VENV ?= .venv
export VENV PYTHON

python := $(VENV)/bin/python
setup := @deploy/local/setup.sh

options = $(if $(PORT),--port $(PORT)) $(if $(DATA),--data '$(DATA)') $(if $(ONCE),--once)

.DEFAULT_GOAL := help
.PHONY: help demo up test chaos attack check format bench docs lock clean

help: ## this list
	@echo 'Commands of Kvar:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'Options of demo and up: PORT=18000 (first of the ports used).'
	@echo 'Options of demo: ONCE=1 (end by itself, exit status 0 or 1), DATA=DIR (play the OULAD data in DIR).'
	@echo 'Options of chaos: MINUTES=5 SEED=1, ARGS="--replicas 4 --students 40 --faults 200".'
	@echo 'Options of attack: ARGS="queued-flood" (names; all when none is given).'
	@echo 'Options of test: ARGS="-k mailsink" (anything that pytest takes).'

demo: ## play a term of a (simulated) school authority through everything, on this machine, without containers
	$(setup) local servers
	@exec $(python) -m deploy.local demo $(options)

up: ## start everything on this machine and keep its data: for feeding it yourself
	$(setup) local servers
	@exec $(python) -m deploy.local up $(if $(PORT),--port $(PORT))

test: ## run all tests: unit, integration (private broker and database), end to end
	$(setup) dev servers
	@$(python) -m pytest $(or $(ARGS),-n 2 --dist loadfile)

chaos: ## kill, pause and cut off everything while events flow, then prove that nothing was lost or counted twice
	$(setup) dev servers
	@exec $(python) -m tests.chaos $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(ARGS)

attack: ## do what a hostile publisher, a sick mail server or a full disk would, and tell what the others felt of it
	$(setup) dev servers
	@exec $(python) -m tests.attacks $(ARGS)

check: ## lint, formatting, types, import rules
	$(setup) dev
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy
	@$(VENV)/bin/lint-imports

format: ## format the code and fix what the linter can fix
	$(setup) dev
	@$(python) -m ruff check --fix .
	@$(python) -m ruff format .

bench: ## measure scoring against baselines in the same run (ARGS="--memory --json FILE")
	$(setup) dev servers
	@$(python) -m tests.bench $(ARGS)

docs: ## write docs/asyncapi and docs/openapi from the code
	$(setup) dev
	@$(VENV)/bin/kvar docs

lock: ## write requirements*.lock anew from pyproject.toml (UPGRADE=1: newest versions)
	@deploy/local/lock.sh $(if $(UPGRADE),--upgrade)

clean: ## remove the virtual environment, all local runs and caches; ends what a killed run left behind
	@$${PYTHON:-python3} -m deploy.local.clean
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
