# Each target makes its own virtual environment when there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: demo test lint docs sbom audit bench-smoke clean

demo: $(STAMP)  ## draw the same seeds plain and at three levels into demo/
	$(BIN)/python -m counterpoint.demo --out demo --overwrite

test: $(STAMP)  ## the whole default test suite, WORKERS processes of one thread each
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

bench-smoke: $(STAMP)  ## a small benchmark from end to end on the embedded model, with its report
	rm -rf runs/ci-smoke
	$(BIN)/counterpoint bench run scenes-smoke --out runs/ci-smoke
	rm -rf runs/ci-smoke

lint: $(STAMP)  ## ruff and a strict type check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)  ## the site into site/, from pages that are current
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python scripts/cli_reference.py
	$(BIN)/python scripts/families_table.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

sbom: $(STAMP)  ## dist/sbom.json: all that is installed, CycloneDX
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt cyclonedx-bom
	mkdir -p dist
	$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-file dist/sbom.json

audit: $(STAMP)  ## known vulnerabilities of the exact versions; asks a service on the network
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' 'resvg-py'
	touch $@

clean:
	rm -rf $(VENV) demo dist site
