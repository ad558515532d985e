# make demo: segments the sample photographs; make test: the whole suite. Both set up .venv.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check
PYTEST := $(VENV)/bin/python -m pytest
# Two files at a time, in the order of tests/conftest.py.
IN_PAIRS := -n 2 --dist loadfile --no-loadscope-reorder
# Without coverage, under which torch and TVM take half as long again: its floor holds without them.
WORKSTATION := tests/compile tests/train
# Nothing runs beside what times something, or lives with the clock of a camera or a meter.
ALONE := tests/examples tests/edge_vessel/kiosk \
  $(patsubst %,tests/edge_vessel/test_%.py,camera capture gstreamer http_meter live_line machine_conditions \
    meters mjpeg pipeline power_window rtsp run run_service serial_meter stopwatch video window) \
  $(patsubst %,tests/bench/test_%.py,bench_presentation endings energy latency sweep worker)
.PHONY: demo test check clean

demo: $(VENV)/base
	$(VENV)/bin/python -m edge_vessel.run --input samples --output demo --jsonl demo/frames.jsonl

test: $(VENV)/dev
	$(MAKE) check
ifdef ARGS
	$(PYTEST) --cov $(ARGS)
else
	$(PYTEST) $(IN_PAIRS) $(WORKSTATION)
	$(PYTEST) $(IN_PAIRS) --cov --cov-report= $(patsubst %,--ignore=%,$(WORKSTATION) $(ALONE))
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-append --cov-fail-under=90 $(ALONE)
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
