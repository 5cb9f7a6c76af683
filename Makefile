# Every target makes what it needs; nothing outside this folder but the pip cache and ~/.cache.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
BUDGET ?= 8m
KILLS  ?= 60
WORKERS ?= 2

.PHONY: demo test test-fast coverage test-faults test-cluster test-browser test-light lab lint clean

demo: $(VENV)/.demo
	$(BIN)/seqtune run imdb-demo --name demo-$$(date +%Y%m%d-%H%M%S) --time-budget $(BUDGET)

# Two at a time: most of what starts Ray waits for it.
test: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) -m "not thorough"

# A core for each of them.
test-fast: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) -m "not (slow or lengthy or thorough)"

coverage: $(VENV)/.dev
	$(BIN)/coverage run -m pytest -q -m "not (slow or thorough)"
	$(BIN)/coverage report

test-faults: $(VENV)/.dev
	SEQTUNE_KILLS=$(KILLS) $(BIN)/pytest tests/faults tests/search/driver/test_run.py tests/search/journal/test_journal.py tests/trainables/serving/test_export.py tests/search/final/test_finalize.py

# Hosts of their own on this machine, in network namespaces, with sshd: for root, on Debian.
test-cluster: $(VENV)/.dev lab
	$(BIN)/pytest tests/cluster

# TensorBoard's page in Debian's chromium: for root, on Debian.
test-browser: $(VENV)/.dev
	command -v chromedriver >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends chromium chromium-driver; }
	$(PIP) selenium
	$(BIN)/pytest tests/browser

# The half that needs no torch, by another Python: make test-light PYTHON=python3.13
LIGHT := journal policy spec report monitor
test-light:
	$(PYTHON) -m venv --clear .venv-light
	.venv-light/bin/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	  dev = project["optional-dependencies"]["dev"]; \
	  print(*(one for one in project["dependencies"] + dev if not one.startswith(("torch", "seqtune"))), sep="\n")' > .venv-light/needed.txt
	.venv-light/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -r .venv-light/needed.txt
	PYTHONPATH=. .venv-light/bin/python -m pytest -n $(WORKERS) -m "not (slow or thorough)" $(addprefix tests/search/,$(LIGHT)) tests/cluster tests/trainables/data

# What the laboratory of test-cluster needs; its tests are left out where that cannot be had.
lab:
	@command -v sshd ip >/dev/null || test "$$(id -u)" != 0 || \
	  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends openssh-server iproute2 faketime sshfs; } || true

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:
	rm -rf $(VENV) .venv-light .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

# CPU torch first and by itself: where a build of exactly this version is at hand, pip takes it.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[imdb]'
	touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[dev]'
	touch $@
