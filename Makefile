# Sealed Relay. `make run` shows it, `make test` proves it; both set up what they need.
# What to set up with. Empty: a 3.13 where there is one, else python3 (scripts/python.sh).
PYTHON ?=
CHOOSE := PYTHON='$(PYTHON)' sh scripts/python.sh
# Where to set up: another folder for another Python beside it, make VENV=.venv-3.11 PYTHON=...
VENV   ?= .venv
BIN    := $(VENV)/bin
# What `make run` needs, and all of it.
LOCAL  := $(VENV)/local
READY  := $(VENV)/ready
# Checkov pins a hundred packages, what the bench measures beside needs fifty, and what writes the
# locks must run where one of them fails to install: so each has an environment of its own.
CHECKOV := .venv-checkov/ready
BENCH  := .venv-bench/ready
LOCKER := .venv-lock/ready

# Each lock holds what its .in asks for and all that it needs; those further down hold those above.
LOCKS := requirements requirements-ops requirements-local requirements-dev \
         requirements-bench requirements-checkov requirements-lock

# More processes than cores: the tests wait for one another's sockets most of the time. A file's tests
# share what they start, so they stay in one process; the order is that of pyproject.toml, longest first.
TESTS := -m pytest -n 6 --dist loadfile --no-loadscope-reorder

# The tests start processes by the hundred: each would compile every module anew where no bytecode is
# kept.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run demo quick test test-long test-all test-oldest soak fuzz conformance func azure bench bench-quick check format lock infra clean FORCE

help:
	@echo "About so long on two cores with nothing else to do; setting up takes a minute more, once."
	@echo
	@echo "make run      start everything here, send five messages, stay up; 15 seconds"
	@echo "make demo     the same, and exit: non-zero if one byte differs at the partner; 15 seconds"
	@echo "make quick    format, lint, types, layers and the unit tests of what changed; a minute"
	@echo "make test     run the tests, but those marked long; 8 minutes"
	@echo "make test-long run those marked long, in another deployment too, through every fault,"
	@echo "              and with a ledger of a million; 32 minutes"
	@echo "make test-all both; 40 minutes"
	@echo "make test-oldest what another version of Python can change: PYTHON=python3.11; 10 minutes"
	@echo "make soak     the relay under load with memory, open files and tasks watched; MINUTES=10 (Linux)"
	@echo "make fuzz     malformed input to every port, by the tests of tests/fuzz; EXAMPLES=2000 each"
	@echo "make conformance the tests of what the local cloud has of Azure; AZURE=1 GROUP=NAME against Azure"
	@echo "make func APP=receiver  the local cloud, with that app under the Functions Core Tools"
	@echo "make azure    try in a subscription what only Azure can show; costs money, asks first"
	@echo "make bench    measure what is fast, beside other ways to do it; 20 minutes"
	@echo "make bench-quick  the same with tiny sizes, to see that it works; its figures mean nothing; 2 minutes"
	@echo "make check    format, lint, types, layers, locks, workflows, infrastructure, documents;"
	@echo "              2 minutes"
	@echo "make format   fix what a machine can fix; seconds"
	@echo "make lock     write the locks of the packages anew, where an input was changed; a minute"
	@echo "make lock UPGRADE=1  the same with the newest versions, or UPGRADE=NAME for one package"
	@echo "make infra    write the snapshots of infra/ anew (needs the Bicep CLI); a minute"
	@echo "make clean    remove what all of these made"
	@echo
	@echo "PYTHON=path says which Python to set up with: else 3.13, or python3 from 3.11 on."

run: $(LOCAL)
	@$(BIN)/python -m local demo --stay

demo: $(LOCAL)
	@$(BIN)/python -m local demo

# What can be known without a socket, a process or a database, of what differs from `main` and is not
# committed. `make check` and `make test` have all of it.
quick: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	@tests=$$($(BIN)/python -m checks.changed_tests) && \
	  if [ -z "$$tests" ]; then echo "No unit test is concerned by what changed."; \
	  else $(BIN)/python -m pytest -n auto $$tests; fi

test: $(READY) $(CHECKOV)
	$(BIN)/python $(TESTS) -m "not long"

test-all: test test-long

# What another version of Python can change: the code, its libraries, the host's own loader. Checks
# of files and of who may do what come out alike.
OLDEST := tests/unit/shared tests/unit/local tests/unit/ops tests/integration tests/worker \
          tests/pipeline/test_messages.py tests/pipeline/test_forwarding.py \
          tests/pipeline/test_operator.py tests/pipeline/ledger

test-oldest: $(READY)
	$(BIN)/python $(TESTS) -m "not long" $(OLDEST)

# What takes longer: the tests marked long; in the deployment that differs most from the usual one, what
# another way of granting access can change; a stream of messages through every fault with the machine
# for itself; a ledger of a million; and the bench, for its own sake. SEED=N repeats a run's faults.
AUTHORIZED := $(patsubst %,tests/pipeline/test_%.py,access prove secrets keys decisions messages \
                operator pause rotation away) tests/pipeline/ledger/test_records.py

test-long: $(READY) $(CHECKOV) $(BENCH)
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "long and not alone"
	$(BIN)/python -m pytest -m alone tests/page
	$(BIN)/python -m pytest -s -m alone tests/soak
	SNAPSHOT=local-policies-private.snapshot.json \
	  $(BIN)/python $(TESTS) -m "not long" $(AUTHORIZED)
	SEED=$(SEED) $(BIN)/python -m pytest -s -m alone tests/faults
	ROWS=1000000 $(BIN)/python -m pytest tests/integration/shared/ledger/test_ledger_plans.py
	.venv-bench/bin/python -m bench --quick

# MINUTES is how long; a run of a minute is a part of test-long.
soak: $(READY)
	MINUTES=$(or $(MINUTES),10) $(BIN)/python -m pytest -s tests/soak

# EXAMPLES is how many inputs each test makes; a run of few is a part of test.
fuzz: $(READY)
	EXAMPLES=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest -n 2 tests/fuzz

# Against the local cloud, or with AZURE=1 against the resource group GROUP: docs/conformance.md.
conformance: $(READY)
	AZURE=$(AZURE) GROUP=$(GROUP) $(BIN)/python -m pytest tests/conformance

func: $(LOCAL)
	@sh scripts/func.sh "$(APP)" $(BIN)/python

# Where az and azd are not signed in, nothing is run, and the exit code says so. The steps, their time
# and cost: make azure LIST=1. Other variables: docs/deploying.md, "In your own subscription".
azure: $(READY)
	@$(BIN)/python -m tests.azure $(if $(LIST),--list) $(if $(LOCATION),--location $(LOCATION)) \
	  $(if $(ADDRESS),--address $(ADDRESS)) $(addprefix --step ,$(STEP)) \
	  $(if $(SUBSCRIPTION),--subscription $(SUBSCRIPTION)) $(if $(YES),--yes) \
	  $(if $(AWAY_MINUTES),--away-minutes $(AWAY_MINUTES)) $(if $(CLEAN),--clean $(CLEAN))

bench: $(BENCH)
	.venv-bench/bin/python -m bench

bench-quick: $(BENCH)
	.venv-bench/bin/python -m bench --quick

check: $(READY) $(CHECKOV)
	$(BIN)/python -m checks.locks
	$(BIN)/python -m checks.package
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/zizmor --offline --quiet --no-progress --persona=pedantic .
	$(BIN)/python -m checks.infra check
	$(BIN)/python -m checks.connections
	$(BIN)/python -m checks.azure
	$(BIN)/python -m checks.checkov
	$(BIN)/python -m checks.functions
	$(BIN)/python -m checks.hosting
	$(BIN)/python -m checks.tables
	$(BIN)/python -m checks.documents
	$(BIN)/python -m checks.links
	$(BIN)/python -m checks.threat_model

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m checks.tables write

# Versions stay as they are where they still do, so that a change of an input changes little else.
lock: $(LOCKER)
	@for lock in $(LOCKS); do \
	  echo "$$lock.txt"; \
	  UV_NO_CONFIG=1 .venv-lock/bin/uv pip compile --quiet --universal --generate-hashes \
	    --python-version 3.11 \
	    $(if $(filter 1,$(UPGRADE)),--upgrade,$(addprefix --upgrade-package=,$(UPGRADE))) \
	    --output-file $$lock.txt $$lock.in > /dev/null || exit 1; \
	done

infra: $(READY)
	$(BIN)/python -m checks.infra build

clean:
	rm -rf $(VENV) .venv .venv-3.11 .venv-bench .venv-checkov .venv-lock
	rm -rf .local .conformance .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made anew when its lock changes, when it does not run any more, and when PYTHON
# is given and is another than its own.
remade = $(if $(shell $(CHOOSE) differs $(1)),FORCE)

define environment # of a folder and a lock
	@python=$$($(CHOOSE)) && \
	  echo "Setting up $(1) with $$("$$python" --version) ($$python), once; this takes a minute." && \
	  rm -f $(1)/local $(1)/ready && \
	  "$$python" -m venv --clear $(1)
	$(call installed,$(1),$(2))
endef

# Nothing is installed but what is in the lock, and nothing that is not the very file it names.
define installed # into a folder, from a lock
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2)
	@touch $@
endef

$(LOCAL): requirements-local.txt $(call remade,$(VENV))
	$(call environment,$(VENV),$<)

$(READY): requirements-dev.txt $(LOCAL)
	@echo "Installing what the tests and checks need into $(VENV)."
	$(call installed,$(VENV),$<)

$(CHECKOV): requirements-checkov.txt
	$(call environment,.venv-checkov,$<)

$(BENCH): requirements-bench.txt
	$(call environment,.venv-bench,$<)

$(LOCKER): requirements-lock.txt
	$(call environment,.venv-lock,$<)

FORCE:
