# Each target makes .venv and installs what it needs by itself; Python 3.11 or newer, make and gcc are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: test kill demo picture check bench format

test: check
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

kill: $(STAMP)
	MYVLM_TAG_KILLS=20 $(BIN)/python -m pytest tests/pipeline -k kill_9

demo: $(STAMP)
	$(BIN)/myvlm-tag demo --out demo $(DEMO)

picture: demo
	$(BIN)/python -m myvlm_tag.world.demo demo docs/demo.jpg

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(BENCH)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@
