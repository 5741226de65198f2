# The verbs of this repository. Two of them are enough: `make demo` to see it, `make test` to check it.
# Each makes what it needs first; one that was interrupted is simply run again.

PYTHON ?= python3
.DEFAULT_GOAL := help
# What was imported once is kept compiled in $(VENV), also where the shell says that Python is to write nothing.
export PYTHONDONTWRITEBYTECODE :=
.NOTPARALLEL:
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
STATIC := src/saliency_widget/static
BUNDLE := $(STATIC)/static.js
NOTEBOOK := example_notebooks/01_quickstart.ipynb
LAB_SETTINGS := $(VENV)/share/jupyter/lab/settings/overrides.json
# One thread each, also for the kernels and servers that tests start, so two processes take half as long. The tests of a
# file stay together (what it starts, it starts once), and files keep their order: the first one takes longest.
WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
NO_NEWS := '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}'
FRONT_END_SOURCES := $(shell find js/src js/scripts -type f 2>/dev/null)
, := ,
step = @printf '\n── %s ──\n' '$(1)'

.PHONY: help
help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

# ── what everything else needs ──────────────────────────────────────────────────────────────────────────────────────

.PHONY: install
install: $(VENV)/.installed $(BUNDLE) ## Python packages and the front end, into .venv and node_modules

# The stamps are written last, so that whatever breaks off half-way is done again.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo 'There is no $(PYTHON). Install Python 3.11 or newer, or name yours: make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name a newer one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'This Python comes without its venv module. On Debian and Ubuntu: apt-get install python3-venv (as root)'; exit 1; }
	$(call step,Making $(VENV))
	$(PYTHON) -m venv $(VENV)
	@touch $@

node_modules/.installed: package.json package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || \
		{ echo 'Node and npm are needed to build the front end: install Node 20 or newer (nodejs.org says how).'; exit 1; }
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || \
		{ echo "Node 20 or newer is needed to build the front end; this is $$(node --version). nodejs.org says how to get it."; exit 1; }
	$(call step,Installing the tools of the front end)
	npm install --no-audit --no-fund
	@touch $@

$(BUNDLE): node_modules/.installed package.json tsconfig.json $(FRONT_END_SOURCES)
	$(call step,Building the front end)
	npm run build
	@touch $(STATIC)/widget.js $(STATIC)/widget.css $(STATIC)/browse.js $(STATIC)/browse.css $(STATIC)/static.js

# After the bundle, so that hatch_build.py finds it current and has nothing to do. The package.json keeps the one of this
# repository, which says "module", away from the scripts that JupyterLab brings and runs, which are none. pip would compile
# all that packages bring, which takes a minute; a third of it is ever imported, and most of that with inseq.
$(VENV)/.installed: pyproject.toml constraints.txt hatch_build.py | $(VENV)/.made $(BUNDLE)
	$(call step,Installing the Python packages)
	@$(BIN)/python -c 'import pip, sys; sys.exit(int(pip.__version__.split(".")[0]) < 24)' || $(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install --no-compile -c constraints.txt -e '.[dev]'
	@$(BIN)/python -W ignore -c 'import inseq'
	@echo '{"type": "commonjs"}' > $(VENV)/package.json
	@touch $@

# ── see it ──────────────────────────────────────────────────────────────────────────────────────────────────────────

# The kernel is the Python of .venv, whatever other kernels this machine knows by the same name. The notebook is part of
# the address, so that it opens also where the address is typed into a browser elsewhere.
.PHONY: demo
demo: install demo-model ## JupyterLab with the first example notebook and the demo model
	$(call step,Starting JupyterLab: if no browser opens$(,) open the address it prints (Ctrl-C ends it))
	@mkdir -p $(dir $(LAB_SETTINGS)) && echo $(NO_NEWS) > $(LAB_SETTINGS)
	@PATH="$(CURDIR)/$(BIN):$$PATH" JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab \
		$$([ "$$(id -u)" != 0 ] || echo --allow-root) \
		--ServerApp.root_dir=$(dir $(NOTEBOOK)) --LabApp.default_url=/lab/tree/$(notdir $(NOTEBOOK))

.PHONY: demo-model
demo-model: install
	$(call step,The demo model)
	@$(BIN)/python -m saliency_widget.models.loading.demo

# ── check it ────────────────────────────────────────────────────────────────────────────────────────────────────────

# pip keeps one core busy, so all of the front end runs beside it; the Python side fills what browsers wait.
.PHONY: test
test: $(BUNDLE) ## everything below: install beside lint-js and test-js, then test-browser beside lint-py and test-py
	@MAKE='$(MAKE)' scripts/together.sh 'install demo-model' 'lint-js test-js'
	@MAKE='$(MAKE)' scripts/together.sh test-browser 'lint-py test-py'
	$(call step,All is well)

.PHONY: lint
lint: lint-py lint-js ## style, types and import arrows, on both sides

.PHONY: lint-py
lint-py: install ## those of the Python side alone
	$(call step,ruff: lint)
	$(BIN)/ruff check
	$(call step,ruff: format)
	$(BIN)/ruff format --check
	$(call step,mypy)
	$(BIN)/mypy
	$(call step,Import arrows)
	$(BIN)/lint-imports

.PHONY: lint-js
lint-js: $(BUNDLE) ## those of the front end alone, and its size
	$(call step,Front end: types$(,) style$(,) arrows$(,) size)
	npm run check

.PHONY: test-js
test-js: $(BUNDLE) ## the tests of the front end alone
	$(call step,Front end: tests)
	npm test

.PHONY: test-py
test-py: install demo-model ## the tests of the Python side
	$(call step,Python: tests)
	$(PYTEST) --ignore tests/browser -m 'not browser and not long'

.PHONY: test-long
test-long: install demo-model ## what test-py claims, on many more examples (minutes more)
	$(call step,Python: the long forms of its tests)
	$(PYTEST) -m long

# pytest says 5 where a file has no test that is asked for.
.PHONY: test-alone
test-alone: install demo-model ## test-py with each file in a process of its own, its last test first: none rests on another
	$(call step,Python: each file alone$(,) and backwards)
	@failed=; for file in $$(find tests -name 'test_*.py' -not -path '*/browser/*' | sort); do \
		echo "$$file"; status=0; \
		OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --backwards -m 'not browser and not long' "$$file" || status=$$?; \
		[ "$$status" = 0 ] || [ "$$status" = 5 ] || failed+=" $$file"; \
	done; [ -z "$$failed" ] || { echo "Red alone:$$failed"; exit 1; }

.PHONY: test-browser
test-browser: install demo-model ## both sides together, in a real JupyterLab in a real Chromium
	$(call step,JupyterLab in Chromium: tests)
	@CHROMIUM="$$(scripts/chromium.sh)" && export CHROMIUM && $(PYTEST) -m 'browser and not long' tests/browser

.PHONY: test-sweep
test-sweep: install ## every text architecture of transformers, every method, against plain passes (long)
	$(call step,Every architecture$(,) every method)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.sweep --out benchmarks/results/sweep.md

.PHONY: bench
bench: install demo-model bench-front-end ## speed of the engine, and of the page
	$(call step,Benchmarks: engine)
	$(BIN)/python benchmarks/engine.py

.PHONY: bench-front-end
bench-front-end: install ## what a reader waits for, in a real JupyterLab in a real Chromium
	$(call step,Benchmarks: front end)
	@CHROMIUM="$$(scripts/chromium.sh)" && export CHROMIUM && \
		$(BIN)/python -m benchmarks.front_end --out benchmarks/results/front_end.json

.PHONY: bench-scaling
bench-scaling: install demo-model ## how time and memory grow with the text
	$(call step,Benchmarks: scaling)
	$(BIN)/python benchmarks/scaling.py

# ── give it away ────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: dist
dist: install ## the wheel and the sdist, into dist; they install without Node
	$(call step,The wheel and the sdist)
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

.PHONY: test-dist
test-dist: dist ## install them into an empty environment without Node, and hover the quickstart there (timed)
	$(call step,The built packages: JupyterLab in Chromium)
	@CHROMIUM="$$(scripts/chromium.sh)" && export CHROMIUM && $(BIN)/python -m tests.release
# ── tell of it ──────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: docs
docs: install ## the documentation, as pages that need no server: docs/_build/html/index.html
	$(call step,Documentation)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

.PHONY: maps
maps: install demo-model ## the maps on its pages whose code is new
	$(call step,Maps of the documentation)
	$(BIN)/python docs/maps.py

# ── tidy ────────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: format
format: install ## let the formatters have their way
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	npm run format

.PHONY: clean
clean: ## everything made here, .venv and node_modules included
	rm -rf $(VENV) node_modules $(STATIC) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
