# make demo: segments the sample photographs; make test: the whole suite. Both set up .venv.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check
PYTEST := $(VENV)/bin/python -m pytest --cov
# Two files at a time; then, alone, what times something or lives with a camera's clock. The longest
# file comes first, so that no core waits for it at the end.
SIDE_BY_SIDE := tests/train/test_fit.py tests/board tests/compile tests/train
ALONE := tests/edge_vessel tests/examples tests/bench tests/deploy tests/test_packaging.py
.PHONY: demo test check clean

demo: $(VENV)/base
	$(VENV)/bin/python -m edge_vessel.run --input samples --output demo --jsonl demo/frames.jsonl

test: $(VENV)/dev
	$(MAKE) check
ifdef ARGS
	$(PYTEST) $(ARGS)
else
	$(PYTEST) --cov-report= -n 2 --dist loadfile --no-loadscope-reorder $(SIDE_BY_SIDE)
	$(PYTEST) --cov-report=term:skip-covered --cov-append --cov-fail-under=90 $(ALONE)
endif

check: $(VENV)/dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict edge_vessel

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "edge_vessel needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	PIP="$(PIP)" sh deploy/install-torch.sh
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/base

clean:
	rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage
