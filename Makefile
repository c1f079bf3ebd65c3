# Each target makes .venv with the pinned versions when it is missing or stale.
VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.made

verify: $(STAMP)  ## judge every claim, on the real model too (about fifty minutes); the ledger is out/ledger.json
	$(PYTHON) -m zotheory verify --jobs 2 $(ARGS)

test: $(STAMP)  ## the quick tests, a sample of all (about five minutes on two cores)
	$(PYTHON) -m pytest

test-all: $(STAMP)  ## all tests: every claim judged, every notebook run, the real language model
	[ "$$(uname -sm)" != "Linux x86_64" ] || $(PYTHON) -m pip install --quiet triton==3.9.0
	$(PYTHON) -m pytest -m ""

lint: $(STAMP)  ## style, who may import whom, and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

calibrate: $(STAMP)  ## how often a true claim is refuted, and a false one
	$(PYTHON) -m zotheory.calibrate

bench: $(STAMP)  ## step time and peak memory of every method beside the forward pass; ratios of one run
	$(PYTHON) -m benchmarks.step_time $(ARGS)

figures: $(STAMP)  ## the papers' figures again, and ours, into out/figures
	$(PYTHON) -m zotheory figures $(ARGS)

page: figures  ## the recorded ledger as a page with the figures, out/page.html
	$(PYTHON) -m zotheory report --figures out/figures --out out/page.html

docs: figures  ## the site, out/site/index.html: start, a page for every claim, gallery, API
	$(PYTHON) -m docs.build

notebooks: $(STAMP)  ## run the notebooks and keep what they show
	$(PYTHON) -m notebooks.execute $(ARGS)

clean:  ## forget the environment
	rm -rf $(VENV)

$(STAMP): requirements.lock pyproject.toml
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --requirement requirements.lock
	$(PYTHON) -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: verify test test-all lint calibrate bench figures page docs notebooks clean
