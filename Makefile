# make demo   the demo study, from nothing to its report
# make status  where each cell of each study stands, on a laptop or a cluster
# make test   every test that needs neither a cluster nor minutes
# make cluster  tests on a Slurm of its own on this machine (skipped where it is not installed)
# make test-all  both, with the long ones: whole studies, and what clusters do to trainings
# make check  what CI checks besides: formats, lints, spelling, the schema, the workflow's lint
# make pictures  the pictures of the README and the docs, from reports, and a run's console lines
#                in docs/first-study.md (needs Chromium)
# make sbom   what users install, with licences and checksums (dist/sbom.json)
# make lock   pin both files of envs/ anew (needs uv)
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

demo: .venv/ready
	snakemake
	@python -m cxrgrid.report results/demo/study.json --headline

status: .venv/ready
	@python -m cxrgrid.status

# Of the tests marked long: none, all, or those of turn N (.ci/run takes turns).
LONG ?= none
# Reports whose answer the README and the docs show, light and dark, by a headless Chromium. The
# last one's run also gives docs/first-study.md its console lines: some 10 minutes. A picture stays
# where its report is not here: snakemake --configfile studies/….yaml makes it.
PICTURES := demo kermany-imagenet first-study
PAGE_first-study := results/first-study/results/mine-share/report/report.html
CARD := chromium --headless --no-sandbox --hide-scrollbars --window-size=1100,940 \
    --virtual-time-budget=2000
pictures: $(PICTURES:%=picture-%)
picture-first-study: told
picture-%:
	@page=$(or $(PAGE_$*),results/$*/report/report.html); \
	if [ ! -f $$page ]; then echo "$$page: not here; docs/$*-*.png stay as they are"; exit 0; fi; \
	$(CARD) --blink-settings=preferredColorScheme=1 --screenshot=docs/$*-light.png \
	    file://$(CURDIR)/$$page 2>/dev/null && \
	$(CARD) --blink-settings=preferredColorScheme=0 --screenshot=docs/$*-dark.png \
	    file://$(CURDIR)/$$page 2>/dev/null && echo "docs/$*-light.png, docs/$*-dark.png"
told: .venv/ready
	python .ci/first_study.py

test cluster: export OMP_NUM_THREADS ?= 1

test: .venv/dev
	pytest -n 2 --dist worksteal -m "not cluster" --long $(LONG) --durations 15

check: .venv/dev
	ruff format --check . && ruff check .
	snakefmt --check Snakefile workflow
	yamllint --strict .
	codespell
	python -m cxrgrid.settings | diff - workflow/schemas/config.schema.json
	snakemake --lint
	python .ci/sbom.py .venv/sbom.json

# What users install, with licences and checksums, as CycloneDX.
sbom: .venv/ready
	python .ci/sbom.py dist/sbom.json

# What the developers' lock adds to the user's: tests, checks, ONNX, the trackers, a start.
EXTRAS := --extra dev --extra onnx --extra track --extra imagenet
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --quiet
# Wheels alone, so that no package's own code runs while it is installed; two have none.
WHEELS := --only-binary :all: --no-binary connection-pool,grad-cam
INSTALL := pip install --quiet --disable-pip-version-check

lock:
	$(COMPILE) -o envs/requirements.txt
	$(COMPILE) $(EXTRAS) --constraint envs/requirements.txt -o envs/requirements-dev.txt \
	    $$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' envs/requirements.txt)

.venv/ready: envs/requirements.txt pyproject.toml src/snakemake_executor_plugin_cxrgrid/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cxrgrid needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(INSTALL) $(WHEELS) --require-hashes -r envs/requirements.txt
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: .venv/ready envs/requirements-dev.txt
	$(INSTALL) $(WHEELS) --require-hashes -r envs/requirements.txt -r envs/requirements-dev.txt
	@touch $@

cluster: .venv/dev
	pytest -m cluster --long $(LONG) --durations 15 tests/cluster

test-all:
	$(MAKE) test cluster LONG=all

.PHONY: demo status pictures told test cluster test-all check lock sbom
