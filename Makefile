# The two commands: `make up`, `make test`. `make help` lists the rest.
SHELL := /bin/bash
python := .venv/bin/python
pytest := $(python) -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup up down test lint format reference bundle unit module machine embedded notebooks browser rehearsal webkit bench lock clean in-turn

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## .venv from the lock file, and the system's packages
	@scripts/setup

up: setup ## a notebook on the embedded EC2, verified; no account needed
	@$(python) -m wrapper up --local --yes

down: setup ## what `make up` made is gone, the embedded EC2 too
	@$(python) -m wrapper down --yes && $(python) -m wrapper local stop

# Hundreds of short processes, and as many tests compiled by each worker: who tells Python to keep
# nothing compiled would pay a minute for it.
unexport PYTHONDONTWRITEBYTECODE

# Machines, providers and pages wait most of their time, for boots and timers: side by side they take
# as long as the longest. Each one's output comes when it ends. The unit tests beside machines would
# end no sooner, and some of them run out of their time. The module's fill what all others leave idle.
test: setup ## everything
	@$(MAKE) --no-print-directory --jobs --output-sync=target module in-turn

in-turn: setup
	@$(MAKE) --no-print-directory --jobs --output-sync=target lint unit embedded
	@$(MAKE) --no-print-directory --jobs --output-sync=target notebooks browser

lint: setup ## ruff, mypy --strict, terraform fmt and validate, shellcheck
	@scripts/lint

format: setup ## ruff and terraform fmt, written back
	@$(python) -m ruff check -q --fix-only . && $(python) -m ruff format -q . && $$(command -v terraform || command -v tofu) fmt -recursive

reference: setup ## docs/module.md and docs/commands.md, from the code
	@$(python) -m scripts.reference

bundle: setup ## templates/machine.bin and unpack.min, from their sources
	@$(python) -m scripts.bundle

unit: setup ## no Terraform, no root; two for each core, since half of their time is waiting
	@$(pytest) -n $$((2 * $$(nproc))) --dist loadscope tests/unit

# Where others are at work, it may be long until a command's turn comes.
module: setup ## the Terraform module on copies, planned and applied; most of its time the provider waits
	@nice -n 10 $(pytest) --timeout 1200 -n $$(($$(nproc) + 1)) --dist loadscope tests/module

machine: setup ## boots the real thing; needs root or sudo
	@$(MAKE) --no-print-directory embedded
	@$(MAKE) --no-print-directory notebooks

# It is started and stopped all the time in these: no other test of machines beside them.
embedded: setup ## the embedded EC2 itself; needs root or sudo
	@$(pytest) tests/machine/test_local_*.py

# With more at once, pages beside them are shown too late.
notebooks: setup ## its machines with their notebooks; needs root or sudo
	@$(pytest) -n 3 --dist loadscope $(filter-out tests/machine/test_local_%,$(wildcard tests/machine/test_*.py))

browser: setup ## headless Chromium
	@scripts/apart $(pytest) tests/browser

rehearsal: setup ## a machine interrupted, ended, stopped with somebody at work, and what it costs; needs root or sudo
	@$(python) -m tests.machine.rehearsal

webkit: setup ## Safari's engine at a JupyterLab, by the door and directly; apt-get install webkit2gtk-driver xvfb
	@$(pytest) tests/browser/webkit.py

bench: setup ## one table of ratios
	@$(python) -m bench

lock: setup ## the lock file anew, from pyproject.toml
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --extra local --group dev --upgrade \
	  --custom-compile-command "make lock" pyproject.toml -o requirements/dev.txt

clean: ## what make made here (not your notebooks)
	@rm -rf .venv .terraform .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info
