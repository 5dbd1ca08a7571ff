# Everything a newcomer needs, on a machine with python3 and make. `make` alone lists the targets.
# PYTHON=/path/to/python3 chooses the interpreter; ARGS="..." is passed on to the command.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# Tests start a hundred processes of this program: none of them should have to compile it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test search lint format lock bench clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: $(VENV)/.run  ## set up what is missing, then serve config/ (proxyctl up)
	@exec $(BIN)/proxyctl up $(ARGS)

test: $(VENV)/.dev  ## set up what is missing, then run the tests
	@scripts/redis.sh
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

search: $(VENV)/.dev  ## run the property tests with examples drawn anew, which the suite never does
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 -m hypothesis --hypothesis-profile search $(ARGS)

lint: $(VENV)/.dev  ## linter, formatting, types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/shellcheck scripts/*.sh deploy/ci/*.sh .ci/run
	@$(BIN)/python scripts/sizes.py

format: $(VENV)/.dev  ## rewrite the sources as the linter wants them
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: $(VENV)/.dev  ## write the lock files from pyproject.toml (ARGS=--upgrade: newest versions)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv
	@scripts/lock.sh $(BIN)/uv $(ARGS)

bench: $(VENV)/.run  ## compare with nginx and bare pass-throughs; needs nginx, wrk, gcc
	@$(BIN)/python -m bench run $(ARGS)

clean:  ## remove the environment and the caches; .proxy/, where versions are kept, stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run instant, and let it work without a network.
$(VENV)/.run: requirements.lock requirements-build.lock pyproject.toml scripts/venv.sh
	@scripts/venv.sh $(VENV) requirements.lock requirements-build.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml scripts/venv.sh
	@scripts/venv.sh $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.run
