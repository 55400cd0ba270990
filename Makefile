# `make` alone lists the targets. Only relative names are used, so the folder may have any name.
PYTHON ?= python3
JOBS ?= 2
python := .venv/bin/python
pytest := $(python) -m pytest
# Twice quiet: only errors. Warnings of the package client are about the machine, and not about this project.
pip := $(python) -m pip install --quiet --quiet
install := $(pip) --require-hashes --requirement

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help env demo test campaign cluster cluster-down lint format bench bench-cluster lock messages docs graph clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '%-17s %s\n' "$$target" "$$text"; done

env: .venv/with-test .venv/with-lint ## make .venv with Packhorse and the tools of test and lint

# A stamp stands for a finished installation, so that every target is quick when nothing has changed.
.venv/with-packhorse: requirements/run.txt pyproject.toml scripts/environment
	@scripts/environment "$(PYTHON)"
	@$(install) requirements/run.txt
	@$(pip) --no-index --no-build-isolation --no-deps --editable .
	@touch $@

.venv/with-%: requirements/%.txt .venv/with-packhorse
	@echo "installing $<"
	@$(install) $<
	@touch $@

demo: ## run a real study and print where its table is
	@echo "This takes about a minute, most of it once: Packhorse, its libraries and NumPy are installed into .venv (about 300 MB)."
	@echo "Then a study runs 2,000 bootstrap resamples of a regression on all cores (examples/penguins)."
	@echo "Its table will be examples/penguins/runs/penguins/results.csv. Nothing outside of this folder is changed."
	@$(MAKE) --no-print-directory .venv/with-packhorse .venv/with-demo
	@scripts/demo

test: .venv/with-test ## run every test but the long campaigns
	@scripts/system-packages
	@$(python) scripts/test $(JOBS)

campaign: .venv/with-test ## run the long campaigns: chaos, fresh clones
	@scripts/system-packages
	$(pytest) -m campaign

cluster: .venv/with-packhorse ## bring up a real Slurm on this machine, to try and to test
	@$(python) scripts/cluster up

cluster-down: .venv/with-packhorse ## stop it and remove everything that it made
	@$(python) scripts/cluster down

lint: .venv/with-test .venv/with-lint ## check style, types, layers, the worker's Python floor, scripts
	@scripts/lint

format: .venv/with-lint ## lay out the code and mend what ruff can mend
	$(python) -m ruff format .
	$(python) -m ruff check --fix .

bench: .venv/with-test .venv/with-bench ## measure against the peers, side by side
	@scripts/system-packages
	@scripts/bench

bench-cluster: .venv/with-test .venv/with-bench ## measure on a real Slurm and sshd, beside plain arrays, submitit, tar, rsync
	@PYTHONPATH=bench:tests $(python) bench/cluster/rates.py
	@PYTHONPATH=bench:tests $(python) bench/cluster/numpy_script.py
	@PYTHONPATH=bench:tests $(python) bench/cluster/files.py

lock: .venv/with-test ## resolve requirements/*.in anew (LOCK=--upgrade takes newer versions)
	@scripts/lock .venv/bin/uv $(LOCK)

messages: .venv/with-packhorse ## list every text that can reach a user, to read them all
	@$(python) scripts/messages

docs: .venv/with-test ## generate the reference pages
	$(python) docs/generate.py

graph: .venv/with-lint .venv/with-test ## draw the import graph of docs/design.md
	$(python) scripts/graph

clean: ## remove the environment and everything that was built or cached
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
