# Sealed Relay. `make run` shows it, `make test` proves it; both set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
# Checkov pins a hundred packages, so it has an environment of its own.
CHECKOV := .venv-checkov/ready

# Tests that take minutes: hundreds of deployments, sieges, and what is compiled anew for each test.
LONG := tests/faults/test_every_departure.py tests/attacks/test_siege.py \
        tests/pipeline/test_choices.py tests/infra/test_change.py tests/infra/test_planted.py

# More processes than cores: the tests wait for one another's sockets most of the time.
TESTS := -m pytest -n 4 --dist loadfile

.PHONY: help run demo test test-all azure bench check format infra clean

help:
	@echo "make run      start everything here, send five messages, stay up"
	@echo "make demo     the same, and exit: non-zero if one byte differs at the partner"
	@echo "make test     run the tests"
	@echo "make test-all the same, in another deployment too, through every fault, a ledger of a million"
	@echo "make azure    try in a subscription what only Azure can show; costs money, asks first"
	@echo "make bench    measure the ledger, and write down what came of it"
	@echo "make check    format, lint, types, infrastructure, documents"
	@echo "make format   mend what can be mended by a machine"
	@echo "make infra    write the snapshots of infra/ anew (needs the Bicep CLI)"
	@echo "make clean    remove what all of these made"

run: $(READY)
	@$(BIN)/python -m local demo --stay

demo: $(READY)
	@$(BIN)/python -m local demo

test: $(READY) $(CHECKOV)
	$(BIN)/python $(TESTS) $(addprefix --ignore=,$(LONG))

# What takes longer: the pipeline in the deployment that differs most from the usual one, the proof of
# every departure from the declaration, a stream of messages through every fault, a ledger of a
# million. SEED=N repeats a run's faults.
test-all: test
	$(BIN)/python -m pytest -n 4 --dist worksteal $(LONG)
	SNAPSHOT=local-policies-private.snapshot.json \
	  $(BIN)/python $(TESTS) tests/pipeline $(addprefix --ignore=,$(LONG))
	SEED=$(SEED) $(BIN)/python -m pytest tests/faults -s $(addprefix --ignore=,$(LONG))
	ROWS=1000000 $(BIN)/python -m pytest tests/unit/shared/test_ledger_plans.py

# Where az and azd are not signed in, nothing is run, and the exit code says so. The steps, their time
# and cost: make azure LIST=1. Other variables: docs/deploying.md, "In your own subscription".
azure: $(READY)
	@$(BIN)/python -m tests.azure $(if $(LIST),--list) $(if $(LOCATION),--location $(LOCATION)) \
	  $(if $(ADDRESS),--address $(ADDRESS)) $(addprefix --step ,$(STEP)) \
	  $(if $(SUBSCRIPTION),--subscription $(SUBSCRIPTION)) $(if $(YES),--yes) \
	  $(if $(AWAY_MINUTES),--away-minutes $(AWAY_MINUTES)) $(if $(CLEAN),--clean $(CLEAN))

bench: $(READY)
	$(BIN)/python -m bench

check: $(READY) $(CHECKOV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m checks.infra check
	$(BIN)/python -m checks.azure
	$(BIN)/python -m checks.connections
	$(BIN)/python -m checks.checkov
	$(BIN)/python -m checks.functions
	$(BIN)/python -m checks.tables
	$(BIN)/python -m checks.links
	$(BIN)/python -m checks.threat_model

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m checks.tables write

infra: $(READY)
	$(BIN)/python -m checks.infra build

clean:
	rm -rf $(VENV) .venv-checkov .local .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One Python environment for all of it, made anew when what it holds is changed.
$(READY): requirements.txt requirements-local.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Sealed Relay needs Python 3.11 or newer. Say which: make PYTHON=python3.13 ..."; exit 1; }
	@echo "Setting up $(VENV), once; this takes about a minute."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(CHECKOV): requirements-checkov.txt
	@echo "Setting up .venv-checkov, once; this takes about a minute."
	@$(PYTHON) -m venv --clear .venv-checkov
	@.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-checkov.txt
	@touch $@
