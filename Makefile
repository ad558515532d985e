# make demo: segments the sample photographs; make test: the whole suite. Both set up .venv.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check
.PHONY: demo test check clean

demo: $(VENV)/base
	$(VENV)/bin/python -m edge_vessel.run --input samples --output demo --jsonl demo/frames.jsonl

test: $(VENV)/dev
	$(MAKE) check
	$(VENV)/bin/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=90 $(ARGS)

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
