# The two commands of the README are `make demo` and `make test`; both begin with `make install`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

.PHONY: help install demo test check tests browser lint types lock bench-sync bench-fixes bench-history bench-pages bench-load bench-grow docs messages screenshots clean

help:
	@echo "make demo         a running TokDash with a sandbox TokPortal (Ctrl-C ends it)"
	@echo "make test         the whole check: lint, types, imports, migrations, tests"
	@echo "make install      .venv/ from the locks"
	@echo "make screenshots  the pictures in docs/screenshots/"
	@echo "make bench-sync   how soon a flag is seen, and what that costs (some ten minutes)"
	@echo "make bench-fixes  what survives a kill, and what a fix costs (PARTS=..., all: some forty minutes)"
	@echo "make bench-history verifying, appending, reading, exporting a million events (some six minutes)"
	@echo "make bench-pages  what the queue weighs, how soon it is there, keystrokes of a fix (some two minutes)"
	@echo "make bench-load   pages over a million videos, hundreds of members, beside Django's admin (some fifteen minutes)"
	@echo "make bench-grow   more workers, a rolling restart, ten minutes of faults (some twenty minutes)"
	@echo "make messages     collect texts for translators, compile their work (needs GNU gettext)"
	@echo "make docs         the documentation site, into var/site/"
	@echo "make lock         write the locks anew from requirements/*.in"
	@echo "make clean        remove .venv/ and var/"

install: $(VENV)/.installed

# uv installs the same locked, hashed files ten times as fast as pip; where it cannot run, pip does.
$(VENV)/.installed: requirements/bootstrap.txt requirements/dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt \
	  || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: install
	@$(BIN)/python manage.py demo $(ARGS)

test: install
	@BIN=$(BIN) PYTEST_ARGS="$(PYTEST_ARGS)" sh tests/run_all.sh

check: install
	@BIN=$(BIN) sh tests/run_checks.sh

# Makes the figures of the README; `PARTS="plan webhooks"` runs some of them.
bench-sync: install
	@$(BIN)/python -m tests.bench.sync $(PARTS)

bench-fixes: install
	@$(BIN)/python -m tests.bench.fixes $(PARTS)

bench-history: install
	@$(BIN)/python -m tests.bench.history $(PARTS)

bench-pages: install
	@$(BIN)/python -m tests.bench.pages

bench-load: install
	@$(BIN)/python -m tests.bench.load $(PARTS)

bench-grow: install
	@$(BIN)/python -m tests.bench.grow $(PARTS)

# The documentation site, into var/site/; `make docs ARGS=serve` shows it while it is written.
docs: install
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(or $(ARGS),build --strict --quiet)

# Words for translators, and what they wrote for the server; needs GNU gettext, which nobody else does.
messages: install
	@DEBUG=1 $(BIN)/python manage.py makemessages --locale de --locale fr --no-location --no-wrap --no-obsolete \
	  --ignore .venv --ignore var --ignore tests --ignore static
	@DEBUG=1 $(BIN)/python manage.py compilemessages --ignore .venv

screenshots: install
	@$(BIN)/python -m tests.make_screenshots

lock: install
	cd requirements && for name in bootstrap base dev; do \
	  ../$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header $$name.in -o $$name.txt; done

clean:
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
