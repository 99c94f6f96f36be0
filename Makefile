# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Public index of torch's CPU builds, used only where the plain install does not find one.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: setup run test check bench fmt clean

setup: $(STAMP)
	@echo "ktray is installed in $(VENV)"

$(STAMP): requirements/cpu.txt pyproject.toml
	@echo "Creating $(VENV) and installing the pinned environment (about 3 GB, 2-4 minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -r requirements/cpu.txt \
	  || $(BIN)/pip install -q --disable-pip-version-check --no-deps --extra-index-url $(TORCH_INDEX) -r requirements/cpu.txt
	@echo "Installing ktray itself (editable)"
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	$(BIN)/python -m jobs.demo --config configs/demo/default.yaml

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m jobs.bench

clean:
	rm -rf build dist runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
