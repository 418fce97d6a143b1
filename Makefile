# Everything a person or CI runs.  On a fresh Debian or Ubuntu machine:
#   apt-get install -y git make python3 python3-venv
# PYTHON=python3.12 chooses another interpreter; each but the default one has its own environment.

# The system's own first, where it can make environments: it is built with a profile, which spares some 5 % of the
# processor that one built by hand and put before it on PATH takes (docs/measurements.md).
SYSTEM_PYTHON := $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
  2>/dev/null && echo /usr/bin/python3 || echo python3)
PYTHON ?= $(SYSTEM_PYTHON)
ifeq ($(PYTHON),$(SYSTEM_PYTHON))
VENV ?= .venv
else
VENV ?= .venv-$(notdir $(PYTHON))
endif
BIN := $(VENV)/bin
# What the tests and the load measurements use beside Python: phones and load, a voice, the example script's tools, a
# browser (and libatomic1, which its driver needs), a C compiler.
DEBIAN_TEST := sip-tester sipvicious baresip-core kamailio espeak-ng curl jq openssl chromium libatomic1
DEBIAN_BENCH := sip-tester gcc libc6-dev chromium libatomic1
PYTEST ?= $(BIN)/python -m pytest
# Most tests wait for phones and servers: several files at a time, each with its own addresses.
WORKERS ?= 3
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help compiled demo run test races test-all-pythons check format bench bench-quick lock clean

help:
	@echo 'make demo         places real calls on this machine and explains them'
	@echo 'make run          runs the server with config/edge.toml'
	@echo 'make test         runs the tests (ARGS="-k name" chooses); installs what they need'
	@echo 'make check        format, lint, types, import rules'
	@echo 'make bench        measures; make bench-quick: a shorter look'

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo '$(PYTHON) is older than Python 3.11: set PYTHON=, for example make demo PYTHON=python3.12'; exit 2; }
	@$(PYTHON) -c 'import ensurepip' || { echo 'missing: apt-get install -y python3-venv'; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.created requirements/run.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# Bytecode beside the sources, also where the environment keeps Python from writing it: every start is shorter.
compiled: $(VENV)/.run
	@$(BIN)/python -m compileall -q -j 0 edge

demo: compiled
	$(BIN)/edge demo $(ARGS)

run: compiled
	$(BIN)/edge serve $(ARGS)

test: $(VENV)/.dev compiled
	@sh .ci/debian-packages $(DEBIAN_TEST)
	$(PYTEST) -n $(WORKERS) --dist loadfile $(ARGS)

# Callers racing for the last slot of a cap, 200 times (10 in `make test`).
races: $(VENV)/.dev
	RACE_ROUNDS=200 $(PYTEST) --timeout 1800 tests/integration/test_caps.py -k race

# On every supported interpreter that this machine has, pyenv's included.
test-all-pythons:
	@for version in 3.11 3.12 3.13; do \
	  for python in python$$version "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python$$version; do \
	    $$python -c '' 2>/dev/null || continue; \
	    $(MAKE) test PYTHON=$$python || exit 1; break; \
	  done; done

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) tests/test_imports.py tests/test_repository.py

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	@sh .ci/debian-packages $(DEBIAN_BENCH)
	$(BIN)/python -m bench $(ARGS)

bench-quick: $(VENV)/.dev
	@sh .ci/debian-packages $(DEBIAN_BENCH)
	$(BIN)/python -m bench --quick $(ARGS)

# Longer runs than the tests, with a time or number of their own: make campaign-fuzz ARGS="--seconds 600",
# make campaign-interleavings (any order of both peers' moves), make campaign-overload (three times the
# capacity; ARGS="--transport tls", or tcp), make campaign-memory (100,000 calls).
campaign-%: $(VENV)/.dev
	@sh .ci/debian-packages $(DEBIAN_TEST)
	$(BIN)/python -m tests.$*.run $(ARGS)

# Renews the locked requirements (needs uv); registry addresses stay out of them.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --no-emit-index-url \
  --generate-hashes --no-header --no-annotate --quiet --group build
lock:
	$(LOCK) --group dev -o requirements/dev.txt
	$(LOCK) -c requirements/dev.txt -o requirements/run.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
