# One target for each thing that a developer does. A target's line ends with what `make help` says about it.

PYTHON ?= .venv/bin/python

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: rows
rows: ## List which rows of docs/capabilities.md the tests prove (ARGS=--json for programs)
	@$(PYTHON) -m tests.project.rows $(ARGS)
