# Every target sets up .venv when it has to; nothing outside this folder is changed.
PYTHON ?= python3
UV_VERSION := 0.13.9
SBOM_VERSION := 7.5.0

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
UV := $(VENV)/uv/bin/uv
NODE := $(VENV)/node/.installed
ENGINES := $(VENV)/engines/.installed
OUTBOX := $(VENV)/outbox/.installed
SBOM := $(VENV)/sbom-$(SBOM_VERSION)/bin
CODE := gateway launcher snapshot tests
SHELL_SCRIPTS = $(shell git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
SECONDS ?= 60
SEEDS ?= 1000
MUTATIONS ?= 1000000
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock'

# Our programs are started hundreds of times: what Python has compiled is kept.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install engines demo test clients pictures kill simulate fuzz check image bench lock format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## set up .venv (needs Python 3.11 or newer)

# Two entries of the path, gateway/clients for the client: without the mode pip would have every start of
# Python run a finder for 15 ms, and the tests would not be found.
$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.version_info >= (3, 11) or sys.exit("slipgate needs Python 3.11 or newer; $(PYTHON) is " + v + ". Name another one: make install PYTHON=python3.12")'
	@echo "Setting up $(VENV) from requirements.lock (about a minute the first time)"
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@echo "$(CURDIR)/gateway/clients" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/slipgate-client.pth"
	@touch $@

# What a few tests take of npm, where npm is; elsewhere they are skipped, and say why.
$(NODE): tests/interop/package.json tests/interop/package-lock.json | $(INSTALLED)
	@mkdir -p $(@D) && cp tests/interop/package.json tests/interop/package-lock.json $(@D)
	@if command -v npm >/dev/null && npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null; \
	then touch $@; else echo "Without npm's packages: the tests that need them are skipped"; fi

# The agents behind the named engines: 1 GB, so nobody gets them who did not ask.
$(ENGINES): snapshot/engines/package.json snapshot/engines/package-lock.json | $(INSTALLED)
	@mkdir -p $(@D) && cp snapshot/engines/package.json snapshot/engines/package-lock.json $(@D)
	@if command -v npm >/dev/null && npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null; \
	then touch $@; else echo "Without the agents of npm: the tests that need them are skipped"; fi

engines: $(ENGINES) ## fetch Claude Code, Codex and opencode (1 GB) for the tests that run them

demo: install ## run one task from POST to pull request, here, with a kill in the middle
	@$(BIN)/slipgate demo

test: install $(NODE) ## run the tests, on every core
	@$(BIN)/pytest -n auto --dist worksteal -rfEs

clients: install ## make the generated part of the clients anew, from the OpenAPI document
	@$(BIN)/python -m tests.clients

pictures: install $(NODE) ## take the screenshots of the documentation (needs Chromium)
	@$(BIN)/pytest tests/browser/test_pictures.py --quiet --pictures

kill: install ## kill gateways, launchers, agents and PostgreSQL at random, receivers misbehaving: SECONDS=60 SEED=<any number>
	@$(BIN)/pytest tests/e2e/test_storm.py tests/e2e/test_post_storm.py --quiet --capture=no --kill-seconds=$(SECONDS) $(if $(SEED),--kill-seed=$(SEED))
	@$(BIN)/python -m tests.gateways --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

simulate: install ## play a whole installation under every fault, seed after seed: SEEDS=1000, or one: SEED=<number>
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

fuzz: install ## spoil signed webhooks, none may be taken: MUTATIONS=1000000 SEED=<any number>
	@$(BIN)/python -m tests.fuzz --mutations $(MUTATIONS) --seed $(or $(SEED),0)

check: install ## format, lint, types, floors, shell, Dockerfile, dependencies, figures of the code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(if $(SHELL_SCRIPTS),$(BIN)/shellcheck $(SHELL_SCRIPTS))
	$(BIN)/hadolint Dockerfile snapshot/Dockerfile
	$(BIN)/deptry .
	@$(BIN)/python -m tests.codebase --paths

image: install ## build the container image and its SBOM (docker or buildah): BASE=<a mirror's base image>
	$(BIN)/hadolint Dockerfile
	@test -x $(SBOM)/cyclonedx-py || { $(PYTHON) -m venv $(SBOM)/.. && $(SBOM)/python -m pip --quiet --disable-pip-version-check install cyclonedx-bom==$(SBOM_VERSION); }
	@PATH="$(CURDIR)/$(SBOM):$$PATH" gateway/deploy/image.sh

# The outbox that slipgate is measured beside, where npm is.
$(OUTBOX): tests/benchmarks/outbox/package.json tests/benchmarks/outbox/package-lock.json | $(INSTALLED)
	@mkdir -p $(@D) && cp tests/benchmarks/outbox/package.json tests/benchmarks/outbox/package-lock.json $(@D)
	@if command -v npm >/dev/null && npm ci --prefix $(@D) --no-audit --no-fund --loglevel=error >/dev/null; \
	then touch $@; else echo "Without npm's packages: slipgate is measured without an outbox beside it"; fi

bench: install $(OUTBOX) ## measure this machine
	@$(BIN)/python -m tests.benchmarks

lock: install ## choose the newest versions the ranges of pyproject.toml allow
	@test -x $(UV) || $(PYTHON) -m venv $(VENV)/uv
	@$(VENV)/uv/bin/python -m pip --quiet --disable-pip-version-check install uv==$(UV_VERSION)
	@$(UV) pip compile $(LOCK_FLAGS) --upgrade --all-extras --overrides tests/overrides.txt --output-file requirements.lock pyproject.toml
	@$(UV) pip compile $(LOCK_FLAGS) --upgrade --constraints requirements.lock --overrides snapshot/overrides.txt --output-file snapshot/requirements.lock snapshot/requirements.in
	@$(UV) pip compile $(LOCK_FLAGS) --upgrade --constraints requirements.lock --extra postgres --extra otel --extra kubernetes --output-file gateway/deploy/requirements.lock pyproject.toml gateway/deploy/build.in

format: install ## rewrite the code in the house's format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean: ## remove .venv and everything that tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* htmlcov build dist *.egg-info
	@for folder in $(CODE); do if [ -d $$folder ]; then find $$folder -name __pycache__ -prune -exec rm -rf {} +; fi; done
