# Shotdesk: make demo, make test. Needs Python 3.11+ with venv, and the package registries; nothing else.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# uv installs the locked packages many times quicker than pip; where it cannot, pip does
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r $(1) || $(PIP) install --require-hashes -r $(1)

.PHONY: demo install test quick soak check lock clean

demo: $(VENV)/.base ## start the demo shop and play a conversation with it
	$(BIN)/shotdesk demo

install: $(VENV)/.test ## the command at .venv/bin/shotdesk, with all that the tests need

test: install check ## the full tier: everything, on real servers
	$(BIN)/python -m pytest -n 2 --dist loadfile

quick: install check ## the quick tier: under a minute, no servers but the embedded ones
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not full"

soak: install ## 10,000 crashes and 10,000 random faults on each database, in about two hours; COUNT, SEED
	@status=0; for database in sqlite postgresql; do for campaign in crashes faults; do \
		$(BIN)/python -m tests.chaos $$campaign --database $$database --count $(or $(COUNT),10000) \
			$(if $(SEED),--seed $(SEED)) || status=1; \
	done; done; exit $$status

check: install ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: install ## pin the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --upgrade \
		pyproject.toml -o deploy/locks/base.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --extra test \
		-c deploy/locks/base.txt pyproject.toml -o deploy/locks/test.txt

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	-$(PIP) install "uv>=0.9"

$(VENV)/.base: $(BIN)/python deploy/locks/base.txt pyproject.toml
	$(call INSTALL,deploy/locks/base.txt)
	$(PIP) install --no-deps --editable .
	$(BIN)/python -m compileall -q bot adapters intents
	$(BIN)/python -m adapters.classifier $(VENV)/share/shotdesk/classifier
	touch $@

# torch, for the model's tests, is kept out of the base: where a CPU build is at hand, pip takes that
$(VENV)/.test: $(VENV)/.base deploy/locks/test.txt
	$(call INSTALL,deploy/locks/test.txt)
	$(PIP) install "$(TORCH)"
	touch $@
