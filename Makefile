# Two commands on a fresh machine: `make demo` and `make test`. Each makes the environment it needs, once.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   ?= home/demo

.PHONY: help demo test real faults replay ui lint bench docs lock clean
.DEFAULT_GOAL := help

help:  ## Show what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): requirements.lock pyproject.toml
	@echo "Making the environment in $(VENV); the first time this takes some minutes."
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13)) and print("macromicro needs Python 3.11 to 3.13")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile --progress-bar on -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# On all cores, where pip takes one for minutes; a few files that packages bring are of other Pythons, many are tests.
	@echo "Compiling"; $(BIN)/python -m compileall -qq -j 0 -x '/(tests|transformers/models)/' $(VENV)/lib || :
	@touch $(READY)

demo: $(READY)  ## Simulate a study, run a whole night on it, show the result and where to look
	$(BIN)/macromicro --home $(DEMO) init --timezone Europe/Berlin --if-absent
	$(BIN)/macromicro --home $(DEMO) simulate --participants 10 --days 12 --seed 1
	$(BIN)/macromicro --home $(DEMO) run
	$(BIN)/macromicro --home $(DEMO) status
	$(BIN)/macromicro --home $(DEMO) predict P001
	@echo "Look around: make ui"

# Tests run side by side; two that compute with all cores at once wait for each other for most of their time.
test: export OMP_NUM_THREADS = 1

test: $(READY)  ## Run the tests
	$(BIN)/python -m pytest -m "not line_real and not faults and not replay" --ignore tests/line/test_faults.py --ignore tests/line/test_killed.py -n auto --dist loadfile --no-loadscope-reorder

real: $(READY)  ## Run the whole line on the real recordings (skips where they are absent)
	$(BIN)/python -m pytest -m line_real tests/line

faults: $(READY)  ## Inject faults for real: full disk, lost databases, killed servers, nights killed everywhere (minutes; some need root)
	$(BIN)/python -m pytest tests/line/test_faults.py tests/line/test_killed.py

replay: $(READY)  ## Play five nights of a study on an accelerated clock and check their ledger (needs the package faketime)
	$(BIN)/python -m pytest -m replay tests/line/test_replay.py

ui: $(READY)  ## Open the Dagster and MLflow pages of the demo study
	$(BIN)/macromicro --home $(DEMO) ui

lint: $(READY)  ## Ruff, the type checker, and whether the definitions load
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dagster definitions validate

bench: $(READY)  ## Run the benchmarks (hours; some need real recordings, see docs/results.md)
	@failed=; for script in benchmarks/[!_]*.py; do echo "== $$script"; \
	$(BIN)/python -m benchmarks.$$(basename $$script .py) || failed="$$failed $$script"; done; \
	test -z "$$failed" || { echo "did not end well:$$failed"; exit 1; }

docs: $(READY)  ## Write the generated pages of docs/ again
	$(BIN)/python -m docs.generate
	$(BIN)/python -m assets.features.page > docs/features.md

lock: ## Resolve requirements.lock anew from pyproject.toml
	./docs/lock.sh

clean:  ## Remove the environment and the demo study
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache
