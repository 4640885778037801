# Everything that these verbs create stays inside the checkout.
PYTHON ?= python3
TICKWIRE_BUILD ?= release
export TICKWIRE_BUILD
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find ext -name '*.pyx' -o -name '*.pxd' -o -name '*.h') setup.py

.PHONY: demo test lint bench build clean

$(VENV)/.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

# Compiled in place and installed in editable form; the stamp names the profile it was built with.
$(VENV)/.built-$(TICKWIRE_BUILD): $(VENV)/.stamp $(SOURCES)
	rm -f $(VENV)/.built-*
	$(BIN)/python -m pip install --quiet --no-build-isolation --config-settings editable_mode=compat --editable .
	touch $@

build: $(VENV)/.built-$(TICKWIRE_BUILD)

demo: build
	$(BIN)/python examples/demo.py

test: build
	$(BIN)/python -m pytest

lint: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/cython-lint ext
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest tickwire --ignore-unused-allowlist --allowlist tests/typing/stubtest_allowlist.txt
	$(BIN)/lint-imports

bench: build
	$(BIN)/python -m pytest benchmarks --benchmark-only

clean:
	rm -rf build dist demo *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
	find src ext -name '*.so' -delete -o -name '*.c' -delete
	rm -f $(VENV)/.built-*
