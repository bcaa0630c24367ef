# What a person types. The work is in scripts/, libs/stack and libs/cli.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test torture test-unit lint format stack-up stack-down clean
.PHONY: compose-up compose-down bundle load bench bench-quick

bin := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## install what is missing, start the stack, take real data from upload to lake
	@scripts/bootstrap.sh demo
	@$(bin)/spatial-etl demo

test: ## all tests, against a stack of their own that is gone afterwards
	@scripts/bootstrap.sh test
	@scripts/test.sh $(TESTS)

torture: ## 2 000 faults and 2 000 damaged files, and all foreign ones; takes hours
	@scripts/bootstrap.sh test
	@scripts/torture.sh

bench: ## other tools on the same jobs, side by side, and all other scenarios; tables and plots in bench/
	@scripts/bootstrap.sh test
	@$(bin)/python -m benchmarks

bench-quick: ## the same on small data
	@scripts/bootstrap.sh test
	@$(bin)/python -m benchmarks --quick --rounds 1

test-unit: ## the tests that need no server
	@scripts/bootstrap.sh test
	@$(bin)/python -m pytest tests/unit

lint: ## ruff, mypy, import-linter
	@scripts/bootstrap.sh test
	@$(bin)/ruff check
	@$(bin)/ruff format --check
	@$(bin)/mypy
	@PYTHONPATH=services/dagster $(bin)/lint-imports

format: ## let ruff put the code in order
	@scripts/bootstrap.sh test
	@$(bin)/ruff check --fix-only
	@$(bin)/ruff format

stack-up: ## start the embedded stack in .stack
	@scripts/bootstrap.sh demo
	@$(bin)/python -m libs.stack up

stack-down: ## stop it; its data stays
	@if [ -x $(bin)/python ]; then $(bin)/python -m libs.stack down; fi

compose-up: ## the platform in Docker, from docker-compose.yaml and .env
	@docker compose up --build --detach

compose-down: ## stop it; its data stays in Docker's volumes
	@docker compose down

bundle: ## all that a site without a network needs, in one archive with checksums: dist/
	@scripts/bootstrap.sh demo
	@scripts/bundle.sh

load: ## unpack a bundle: make load BUNDLE=spatial-etl-VERSION.tar TARGET=folder; its own load.sh does so too
	@scripts/load.sh "$(TARGET)" "$(BUNDLE)"

clean: ## stop the stacks, and delete their data, the .venv and all caches
	@for state in .stack .stack-test; do [ ! -d $$state ] || $(MAKE) -s purge STATE=$$state || exit 1; done
	@rm -rf .venv .stack-test-logs build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: purge
purge:
	@scripts/bootstrap.sh demo
	@$(bin)/python -m libs.stack down --purge --state $(STATE)
