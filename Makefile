PORT ?= 8000
PYTHON ?= python3
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
BIN := .venv/bin

.PHONY: help run install test check fix

help: ## show these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

run: install ## ingest seeds/documents and serve on 127.0.0.1:$(PORT)
	@$(BIN)/pincite --data .pincite ingest seeds/documents
	@exec $(BIN)/pincite --data .pincite serve --port $(PORT)

install: .venv/installed ## make .venv with the pinned dependencies

test: .venv/installed-dev ## run the whole test suite
	$(BIN)/pytest

check: .venv/installed-dev ## lint, types, architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_architecture.py

fix: .venv/installed-dev ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# torch first and from PyTorch's CPU index: plain PyPI would bring gigabytes of CUDA.
.venv/installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make run PYTHON=python3.11")'
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
