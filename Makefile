# Everything that these verbs create stays inside the checkout.
PYTHON ?= python3
TICKWIRE_BUILD ?= release
export TICKWIRE_BUILD
# Exactly these versions are installed; `make lock` makes the file anew.
CONSTRAINTS ?= constraints/dev.txt

VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS)
SOURCES := $(shell find ext -name "*.pyx" -o -name "*.pxd" -o -name "*.h" -o -name "*.inc") setup.py
BUILT := $(VENV)/.built-$(TICKWIRE_BUILD)

.DELETE_ON_ERROR:
.PHONY: help build demo test test-all test-thorough test-long test-search test-captures test-hyperliquid coverage conformance test-asan test-debug fuzz mutants fuzz-build fuzz-corpus memory soak storm recovery crash-test lint bench bench-all-on bench-paced bench-modules bench-latency bench-quick bench-compare instructions profile profile-lines lock audit docs clean

# A line of help is a verb's own comment; the first eight are those that a contributor needs.
help:
	@sed -n 's/^#: //p' Makefile

#: make demo          the feed handler against the built-in exchange simulator
#: make test          the test suite, in minutes
#: make test-all      and what takes long for being thorough
#: make lint          ruff, cython-lint, mypy, stubtest, import-linter, codespell, words
#: make coverage      the lines that the suite runs, against floors
#: make instructions  instructions per message, counted by valgrind: did a change make it slower
#: make bench-quick   the main benchmarks, under 2 minutes
#: make clean         removes what was built, but not .venv
#:
#: Tests
#:   make test-thorough       only what test-all adds to test: test-long, then test-search
#:   make test-long           what takes long
#:   make test-search         properties with random examples, of which the log has the SEED
#:   make test-hyperliquid    the emergency hook with Hyperliquid's SDK, which it installs
#:   make test-captures       on recorded messages, where TICKWIRE_CAPTURES says
#:   make conformance         the Autobahn|Testsuite, on CPython 2.7
#:   make test-asan           the suite under the address and undefined behaviour sanitizers
#:   make test-debug          the suite with every check that Cython has
#:   make fuzz                fuzz targets, each for FUZZ_SECONDS or FUZZ_RUNS (TARGET=... for one)
#:   make fuzz-corpus         keeps what the fuzzer found
#:   make mutants             plants faults, and sees that tests or fuzz targets find each
#:   make memory              looks for leaks with valgrind
#:   make soak                8 hours of simulated traffic in 5 minutes: nothing may grow
#:   make storm               STORM_SECONDS of faults at four venues at once, and what came of each row
#:   make recovery            FAULTS at LINKS connections, and how soon rows came again
#:   make crash-test          kills a feed KILLS times at RATE messages/s: each row is there, once
#: Speed
#:   make bench               all benchmarks
#:   make bench-paced         the cost of a message at 100 to 100,000 a second (QUICK=1: 3 minutes)
#:   make bench-all-on        four venues at once with everything on, beside all off; 3 minutes (ALL_ON_SECONDS=600, ALL_ON_OPTIONS=--no-rings)
#:   make bench-latency       latency alone, from due time to ring, async for and DuckDB
#:   make bench-modules       the compiled modules and the sinks, one by one
#:   make bench-compare       this commit against another (BASE=...)
#:   make profile             a flame graph (docs/profiling.md)
#:   make profile-lines       how often each line of Cython runs per message
#: The rest
#:   make build               compiles what has changed
#:   make docs                API pages in build/docs
#:   make lock                newest versions of all dependencies into constraints/dev.txt
#:   make audit               known vulnerabilities in them

# The tools and the libraries. A stamp is touched last, so that a failed step leaves none.
$(VENV)/.tools: pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tickwire needs Python 3.11 or later; say make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(INSTALL) --group dev
	touch $@

# The package is installed in editable form once, and again when pyproject.toml changes; that
# compiles everything. After that only what changed is compiled, next to its Python files.
# The generated C depends on the profile, so a change of profile makes all of it again.
$(BUILT): $(VENV)/.tools $(SOURCES)
	rm -f $(VENV)/.built-*
	@set -e; mkdir -p build; \
	if ! [ $(VENV)/.installed -nt $(VENV)/.tools ]; then \
		rm -f $(VENV)/.installed build/.profile; \
		echo '$(INSTALL) --no-build-isolation --editable .'; \
		CYTHON_FORCE_REGEN=1 $(INSTALL) --no-build-isolation --editable .; \
		touch $(VENV)/.installed; \
	elif [ "$$(cat build/.profile 2>/dev/null)" = '$(TICKWIRE_BUILD)' ]; then \
		echo '$(BIN)/python setup.py build_ext --inplace'; \
		$(BIN)/python setup.py -q build_ext --inplace; \
	else \
		rm -f build/.profile; \
		echo '$(BIN)/python setup.py build_ext --inplace --force'; \
		CYTHON_FORCE_REGEN=1 $(BIN)/python setup.py -q build_ext --inplace --force; \
	fi; \
	echo '$(TICKWIRE_BUILD)' > build/.profile
	$(BIN)/python -m compileall -q src
	touch $@

build: $(BUILT)

demo: build
	$(BIN)/python examples/demo.py

# Tests wait more than they compute, so there are more of them at a time than cores. The programs that
# they start would compile every module anew where Python may not keep bytecode. The order of files is
# tests/conftest.py's.
JOBS ?= 6
DIST := --numprocesses $(JOBS) --dist loadfile
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(DIST)

# What fails beside other tests is run once more, alone, where AGAIN is set: on a busy machine a deadline
# may pass that says nothing of the code. The log names what failed the first time. Of what failed all is
# run, whatever its marks: some are given by what is collected beside it.
AGAIN ?=
again = $(if $(AGAIN),|| { echo '== once more alone: the tests that failed'; \
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(1); })

# pytest rewrites the asserts of a file that it imports, and keeps what it made. Processes that begin
# together in a fresh clone would each do all of it, so two do half of it before. What is wrong with a
# test's file is said by the tests.
$(VENV)/.rewritten: | build
	ls -d tests/*/ | PYTHONDONTWRITEBYTECODE= xargs -P 2 -n 12 $(BIN)/python -m pytest --collect-only -q > /dev/null 2>&1 || true
	touch $@

test: build $(VENV)/.rewritten
	$(PYTEST) $(call again,-m '')

test-all: test test-thorough

test-thorough: test-long test-search

LONG := (thorough or combination) and not captures and not hyperliquid
test-long: build
	$(PYTEST) -m '$(LONG)' $(call again,-m '')

# `make test` tries properties with the same examples everywhere; here they are drawn with a new seed, five
# times as many. What fails is tried again with the same seed, and shown once more if it is found again.
# `make test-search SEED=...` repeats a search.
SEED ?=
SEARCH = -m 'hypothesis and not captures' --hypothesis-profile search --hypothesis-seed
test-search: build
	@seed='$(SEED)'; seed="$${seed:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"; \
	again="make test-search SEED=$$seed"; \
	echo "== random examples: $$again"; \
	$(PYTEST) $(SEARCH) "$$seed" && exit; \
	echo '== with the same seed, alone'; \
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(SEARCH) "$$seed" \
		&& echo "== not found again: $$again" || echo "== found again: $$again"; \
	exit 1

# Recorded messages, where TICKWIRE_CAPTURES says. Where it does not, tests are skipped; with CI set they
# fail.
test-captures: build
	$(PYTEST) -m captures $(call again,-m captures)

# The SDK in an environment that has nothing else: the hook runs it in a process of its own.
SDK := .venv-hyperliquid
test-hyperliquid: export TICKWIRE_HYPERLIQUID_PYTHON = $(CURDIR)/$(SDK)/bin/python
test-hyperliquid: build $(SDK)/.installed
	$(PYTEST) -m hyperliquid tests/hooks $(call again,-m hyperliquid)

$(SDK)/.installed: constraints/hyperliquid.txt
	rm -rf $(SDK)
	$(PYTHON) -m venv $(SDK)
	$(SDK)/bin/python -m pip install --quiet --only-binary :all: --requirement $<
	touch $@

# Without properties, and what tests faults, timing and volume, with each test on one loop; nor what tests the
# checkout's own programs and files. With lines counted a deadline may pass that says nothing: tests are judged
# by `make test`, lines here. The build is left as it was made. Each process collects all tests for itself, so
# there are fewer at a time.
OF_CHECKOUT := conformance examples fuzz house memory reference soak
COUNTED := --numprocesses 4 --dist loadfile $(OF_CHECKOUT:%=--ignore tests/%)
# Tests marked `combination` are in: without them, what `make test` runs on uvloop alone would run on no loop.
UNCOUNTED := captures hyperliquid thorough serial fault volume
COVERAGE := COVERAGE_RCFILE='$(CURDIR)/pyproject.toml' $(BIN)/python -m coverage
COUNTING := PYTHONDONTWRITEBYTECODE= GCOV_PREFIX='$(CURDIR)/build/coverage/gcov/programs' $(COVERAGE) run -m pytest --timeout 300
coverage:
	$(MAKE) build TICKWIRE_BUILD=coverage
	$(INSTALL) --group coverage
	rm -rf build/coverage
	mkdir -p build/coverage
	$(COUNTING) $(COUNTED) -k 'not uvloop' -m '$(foreach mark,$(UNCOUNTED),not $(mark) and) not hypothesis' || { \
		echo '== once more alone: the tests that failed'; \
		$(COUNTING) --last-failed --last-failed-no-failures none -m '' \
			|| echo '== some tests failed where lines are counted'; }
	$(COVERAGE) combine --quiet
	$(BIN)/python -m tests.coverage.report

# Everything of the suite stays in build/autobahn. `make conformance NAMES=picows CASES='1.*'`;
# `make conformance ALL=1` for the large messages of compression too.
conformance: build
	$(BIN)/python tests/conformance/run.py $(if $(MUST_RUN),--must-run) $(if $(ALL),--all) $(if $(CASES),--cases $(CASES) --) $(NAMES)

# The compiled modules; of others, source and stub are the same file.
STUBBED := $(subst /,.,$(patsubst src/%.pyi,%,$(wildcard src/tickwire/*/_*.pyi)))

# cython-lint runs pycodestyle from the PATH.
lint: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint ext
	$(BIN)/mypy
	$(BIN)/mypy tests/typing examples
	$(BIN)/stubtest $(STUBBED) --mypy-config-file pyproject.toml --allowlist tests/typing/stubtest_allowlist.txt
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m tests.house.words

# What the sanitizers need must be loaded before Python is. They do not look for leaks: CPython keeps
# memory to its end on purpose; `make memory` looks for those. Python's own allocator would hide
# accesses past the end of an object. What is freed is kept for a while, to catch its use, but so little
# of it that tests can bound memory.
SANITIZERS := $(foreach name,libasan.so libubsan.so,$(shell $(or $(CC),cc) -print-file-name=$(name)))
SANITIZED := LD_PRELOAD='$(SANITIZERS)' PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16

test-asan:
	$(MAKE) build TICKWIRE_BUILD=asan
	$(SANITIZED) $(PYTEST) --timeout 600 -m 'not captures and not hyperliquid'

test-debug:
	$(MAKE) test-all TICKWIRE_BUILD=debug

# Any bytes against independent readers; see tests/fuzz/README.md. FUZZ_RUNS=10000000: so many
# executions of each target, however long they take. WHOLE=1: the slow form of each.
FUZZ_RUNS ?=
FUZZ_SECONDS ?= $(if $(FUZZ_RUNS),0,60)
WHOLE ?=
TARGET ?=
BLOCKS := $(CURDIR)/build/fuzz/coverage.so
FUZZED := LD_PRELOAD='$(BLOCKS) $(SANITIZERS)' PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:quarantine_size_mb=16:malloc_context_size=2:max_malloc_fill_size=0
fuzz: fuzz-build
	$(FUZZED) $(BIN)/python -W error -m tests.fuzz.run --seconds $(FUZZ_SECONDS) \
		$(if $(FUZZ_RUNS),--runs $(FUZZ_RUNS)) $(if $(WHOLE),--whole) $(TARGET)

# Faults of tests/fuzz/mutants.py, one at a time, in a copy in build/mutants; WORDS='leap year' plants
# those whose files or names have the words. FIRST=1: only what no test finds is fuzzed, which takes half
# the time.
MUTANT_SECONDS ?= 20
WORDS ?=
mutants: fuzz-build
	$(FUZZED) $(BIN)/python -m tests.fuzz.plant --seconds $(MUTANT_SECONDS) $(if $(FIRST),--first) $(WORDS)

# What the fuzzer has found, as far as it adds coverage, goes into the kept corpus.
fuzz-corpus: fuzz-build
	$(FUZZED) $(BIN)/python -W error -m tests.fuzz.keep

fuzz-build:
	$(MAKE) build TICKWIRE_BUILD=fuzz
	$(INSTALL) --group fuzz
	mkdir -p build/fuzz
	$(or $(CC),cc) -O2 -shared -fPIC -o $(BLOCKS) tests/fuzz/coverage.c
	$(BIN)/python -m tests.fuzz.build

# Leaks and accesses outside of what was allocated, of the release build, by valgrind.
MEMORY_MESSAGES ?= 5000
memory: build
	mkdir -p build
	$(BIN)/python -m tests.memory.leaks $(MEMORY_MESSAGES)

# Whether memory, descriptors or threads grow over hours of traffic, accelerated.
SOAK_HOURS ?= 8
SOAK_SECONDS ?= 300
soak: build
	$(BIN)/python -W error -m tests.soak.soak --hours $(SOAK_HOURS) --seconds $(SOAK_SECONDS)

# Faults of every kind at random moments of SEED against the simulators' logs. LEGS=2: one connection of two
# is struck, and nothing may be missing.
STORM_SECONDS ?= 600
LEGS ?= 1
storm: build
	$(BIN)/python -W error -m tests.storm.run --seconds $(STORM_SECONDS) --rate $(RATE) --legs $(LEGS) \
		--seed $(or $(SEED),1)

FAULTS ?= 200
LINKS ?= 4
recovery: build
	$(BIN)/python -W error -m tests.storm.recovery --faults $(FAULTS) --links $(LINKS) --seed $(or $(SEED),1)

KILLS ?= 100
RATE ?= 20000
crash-test: build
	$(BIN)/python -W error -m tests.durability.crash --kills $(KILLS) --rate $(RATE)

TOOK = took=$$(($$(date +%s) - begun)); echo "make $(1) took $$((took / 60)) min $$((took % 60)) s"

# All of it runs, whatever misses its gate.
bench: build
	@status=0; begun=$$(date +%s); \
	$(BIN)/python -m benchmarks.paced || status=1; \
	$(BIN)/python -m pytest benchmarks --benchmark-only || status=1; \
	$(BIN)/python -m benchmarks.pipelines || status=1; \
	$(BIN)/python -m benchmarks.latency || status=1; \
	$(BIN)/python -m benchmarks.compare --keep; \
	$(call TOOK,bench); exit $$status

# Against BASE, a commit; by default the one whose results were kept last.
BASE ?=
bench-compare: build
	$(BIN)/python -m benchmarks.instructions
	$(BIN)/python -m benchmarks.compare $(BASE)

bench-modules: build
	$(BIN)/python -m pytest benchmarks --benchmark-only $(NAMED)

bench-quick: build
	@status=0; begun=$$(date +%s); \
	$(BIN)/python -m benchmarks.pipelines --quick || status=1; \
	$(BIN)/python -m benchmarks.latency --quick || status=1; \
	$(call TOOK,bench-quick); exit $$status

QUICK ?=
bench-paced: build
	@begun=$$(date +%s); $(BIN)/python -m benchmarks.paced $(if $(QUICK),--quick); status=$$?; \
	$(call TOOK,bench-paced); exit $$status

# Not a part of `bench`: its processes want more than two cores.
ALL_ON_SECONDS ?= 60
ALL_ON_OPTIONS ?=
bench-all-on: build
	$(BIN)/python -m benchmarks.all_on --seconds $(ALL_ON_SECONDS) $(ALL_ON_OPTIONS)

bench-latency: build
	$(BIN)/python -m benchmarks.latency

# Per message; what the clock of a busy machine cannot judge. COUNT='--functions 10 --case trade'.
instructions: build
	$(BIN)/python -m benchmarks.instructions $(COUNT)

# docs/profiling.md. CASE: a kind of message, or feed:trades/ws and such for a whole feed. TOOL: perf,
# py-spy or memray. The build is left as it was made: `make build` makes the release again.
CASE ?= trade
PROFILE_SECONDS ?= 10
TOOL ?= auto
profile:
	$(MAKE) build TICKWIRE_BUILD=profile
	$(INSTALL) --group profile
	@test ! -f build/profile || rm build/profile # a stamp of earlier versions
	$(BIN)/python -m benchmarks.profiling --case '$(CASE)' --seconds $(PROFILE_SECONDS) --tool $(TOOL)

# How often each line of Cython runs per message: make profile-lines MODULES=decode/_walk CASE=bbo.
MODULES ?=
profile-lines:
	$(MAKE) build TICKWIRE_BUILD=trace
	$(BIN)/python -m benchmarks.lines --case '$(CASE)' $(MODULES)

# Newest versions within pyproject.toml's bounds, for every Python and system at once.
lock: $(VENV)/.tools
	$(INSTALL) --group lock
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-header \
		--group dev --group fuzz --group docs --group profile --group lock --group audit --group coverage \
		--output-file constraints/dev.txt pyproject.toml

# Known vulnerabilities of what the lock file names; asks the package index.
audit: $(VENV)/.tools
	$(INSTALL) --group audit
	$(BIN)/pip-audit --requirement constraints/dev.txt --no-deps --disable-pip --strict

docs: build
	$(INSTALL) --group docs
	$(BIN)/python -m pdoc --docformat numpy --output-directory build/docs tickwire

clean:
	rm -rf build dist demo src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find src ext benchmarks tests -name '*.so' -delete -o -name '__pycache__' -prune -exec rm -rf {} +
	find ext/tickwire -name '*.c' -delete # generated; those elsewhere were written
	rm -f $(VENV)/.built-* $(VENV)/.installed
