# Each target makes its own virtual environment when there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint clean

demo: $(STAMP)  ## draw the same seeds plain and at three levels into demo/
	$(BIN)/python -m counterpoint.demo --out demo --overwrite

test: $(STAMP)  ## the whole default test suite
	$(BIN)/python -m pytest

lint: $(STAMP)  ## ruff and a strict type check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' 'resvg-py'
	touch $@

clean:
	rm -rf $(VENV) demo dist
