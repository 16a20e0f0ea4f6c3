# Sealed Relay. `make run` shows it, `make test` proves it; both set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

.PHONY: help run demo test test-all check format infra clean

help:
	@echo "make run      start everything here, send five messages, stay up"
	@echo "make demo     the same, and exit: non-zero if one byte differs at the partner"
	@echo "make test     run the tests"
	@echo "make test-all the same, and a stream of messages through every fault"
	@echo "make check    format, lint, types, infrastructure, documents"
	@echo "make format   mend what can be mended by a machine"
	@echo "make infra    write the snapshots of infra/ anew (needs the Bicep CLI)"
	@echo "make clean    remove what all of these made"

run: $(READY)
	@$(BIN)/python -m local demo --stay

demo: $(READY)
	@$(BIN)/python -m local demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# What takes longer: a stream of messages through every fault. SEED=N repeats a run's faults.
test-all: test
	SEED=$(SEED) $(BIN)/python -m pytest tests/faults -s

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m checks.infra check
	$(BIN)/python -m checks.tables
	$(BIN)/python -m checks.links

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m checks.tables write

infra: $(READY)
	$(BIN)/python -m checks.infra build

clean:
	rm -rf $(VENV) .local .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One Python environment for all of it, made anew when what it holds is changed.
$(READY): requirements.txt requirements-local.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Sealed Relay needs Python 3.11 or newer. Say which: make PYTHON=python3.13 ..."; exit 1; }
	@echo "Setting up $(VENV), once; this takes about a minute."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
