# One target for each thing that a developer does. A target's line ends with what `make help` says about it.

PYTHON ?= .venv/bin/python

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: rows
rows: ## List which rows of docs/capabilities.md the tests prove (ARGS=--json for programs)
	@$(PYTHON) -m tests.project.rows $(ARGS)


# --- environments -------------------------------------------------------------------------------------------------

BIN := $(dir $(PYTHON))
SAM := .ci/tools/sam/bin
SAMPLE := events/runs/critical-threat-response.json

export SAM_CLI_TELEMETRY := 0
export UV_NO_PROGRESS := 1

.PHONY: env
env: .venv/made ## Make or update .venv from the locked requirements (uv if present, else venv and pip)

.venv/made: requirements/dev.txt pyproject.toml
	@.ci/venv .venv "$$(.ci/python)" requirements/dev.txt
	@if command -v uv >/dev/null; then \
	  uv pip install -q --python .venv/bin/python --no-deps -e . && uv pip check -q --python .venv/bin/python; \
	else .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps -e . && \
	  .venv/bin/python -m pip check; fi
	@touch $@

.ci/tools/sam/made: requirements/sam.txt
	@.ci/venv .ci/tools/sam "$$(.ci/python)" requirements/sam.txt
	@touch $@

# --- what a newcomer does -------------------------------------------------------------------------------------------

.PHONY: run
run: env ## Run critical-threat-response here on a sample file, on an emulated AWS
	@$(PYTHON) -c 'import json, pathlib, sys; \
	  file = pathlib.Path(json.load(open(sys.argv[1]))["file_path"]); \
	  file.parent.mkdir(parents=True, exist_ok=True); \
	  file.write_text("A harmless stand-in for a malicious file.\n")' $(SAMPLE)
	@$(BIN)stepsmith run critical-threat-response --input $(SAMPLE)

.PHONY: test
test: ## Run everything that CI runs
	@.ci/run

# --- what CI does, one by one ---------------------------------------------------------------------------------------

.PHONY: lint
lint: env ## Check style and formatting
	@$(BIN)ruff check
	@$(BIN)ruff format --check

.PHONY: types
types: env ## Check types
	@$(BIN)mypy

.PHONY: imports
imports: env ## Check what imports what
	@$(BIN)lint-imports

# A test that missed the emulation must fail, not reach an account.
unit build: export AWS_ACCESS_KEY_ID := none
unit build: export AWS_SECRET_ACCESS_KEY := none
unit build: export AWS_DEFAULT_REGION := us-east-1
unit build: export AWS_EC2_METADATA_DISABLED := true

.PHONY: unit
unit: env ## Run the tests (ARGS for pytest)
	@env -u AWS_PROFILE -u AWS_SESSION_TOKEN $(PYTHON) -m pytest -q -n 2 $(ARGS)

.PHONY: check
check: env ## Check the workflows, and that everything generated is up to date
	@$(BIN)stepsmith check
	@$(BIN)stepsmith build --check

.PHONY: validate
validate: .ci/tools/sam/made ## Check template.yaml, as written and as CloudFormation will see it
	@$(SAM)/sam validate --lint
	@$(SAM)/python tests/template/gate.py template.yaml
	@$(SAM)/python tests/template/gate.py tests/template/golden/every-trigger.yaml

.ci/tools/checkov/made: requirements/checkov.txt
	@.ci/venv .ci/tools/checkov "$$(.ci/python)" requirements/checkov.txt
	@touch $@

.PHONY: review
review: .ci/tools/sam/made .ci/tools/checkov/made ## Have checkov review the stack as CloudFormation will see it (300 MB of tools)
	@mkdir -p .ci/tmp
	@$(SAM)/python tests/template/gate.py --print template.yaml > .ci/tmp/translated.json
	@.ci/tools/checkov/bin/checkov -f .ci/tmp/translated.json --config-file tests/template/checkov.yaml

.PHONY: build
build: env .ci/tools/sam/made ## Build functions and layer as for Lambda, and call the handlers of what was built
	@env -u AWS_PROFILE -u AWS_SESSION_TOKEN PYTHON=$(PYTHON) .ci/build

.PHONY: node
node: node_modules/made ## Get the npm packages that tests compare with (without npm: those tests are skipped)

node_modules/made: package.json
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts && touch $@ || \
	  echo "npm could not get the packages: the tests that compare with them will be skipped"; \
	else echo "no npm here: the tests that compare with npm packages will be skipped"; fi

# --- the rest -------------------------------------------------------------------------------------------------------

LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.PHONY: lock
lock: ## Lock the requirements anew (needs uv; ARGS=--upgrade for newer versions)
	@$(LOCK) $(ARGS) pyproject.toml --group dev -o requirements/dev.txt
	@$(LOCK) $(ARGS) --group lambda -c requirements/dev.txt -o layers/dependencies/requirements.txt
	@mkdir -p layers/scanning
	@$(LOCK) $(ARGS) --group scanning -c requirements/dev.txt -o layers/scanning/requirements.txt
	@printf 'awslambdaric\nboto3\n' | $(LOCK) $(ARGS) - -c requirements/dev.txt -o requirements/runtime.txt
	@printf 'aws-sam-cli==1.170.0\n' | $(LOCK) $(ARGS) - -o requirements/sam.txt
	@printf 'checkov==3.3.30\n' | $(LOCK) $(ARGS) - -o requirements/checkov.txt

.PHONY: conformance
conformance: env ## Run the conformance cases (ARGS="--aws --role-arn … --region …": on an account, see --help)
	@$(PYTHON) -m tests.conformance $(ARGS)

.PHONY: soak
soak: env ## Compare random workflows with the reference interpreter (COUNT=20000 or MINUTES=60; SEED, JOBS, ARGS=--help)
	@$(PYTHON) -m tests.semantics.soak $(if $(COUNT),--count $(COUNT)) $(if $(MINUTES),--minutes $(MINUTES)) \
	  --seed $(or $(SEED),0) --jobs $(or $(JOBS),2) $(ARGS)

.PHONY: matrix
matrix: env ## Try every fault at every step of the shipped workflows (ARGS=WORKFLOW, or --write for docs/faults.md)
	@$(PYTHON) -m tests.semantics.fault_matrix $(ARGS)

.PHONY: clean
clean: ## Delete what was built and every environment; runs and their history stay
	@rm -rf .venv node_modules .ci/tools .ci/tmp .aws-sam .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find compiler functions tests -name __pycache__ -prune -exec rm -rf {} +
