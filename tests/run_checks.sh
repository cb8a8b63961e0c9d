#!/bin/sh
# Everything but the tests: lint, format, types, import contract, migrations, templates, compose file, Dockerfile.
set -eu
BIN=${BIN:-.venv/bin}
step() { printf '\n== %s\n' "$1"; }
DEBUG=1
DATABASE_URL=sqlite:///var/checks.sqlite3
export DEBUG DATABASE_URL
mkdir -p var
step "ruff"
"$BIN/ruff" check --quiet .
"$BIN/ruff" format --check --quiet .
step "mypy, strict"
"$BIN/mypy"
step "import contract"
"$BIN/lint-imports" --no-logo 2>/dev/null || "$BIN/lint-imports"
step "migrations"
"$BIN/python" manage.py makemigrations --check --dry-run
POSTGRES=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/test}
if "$BIN/python" tests/reachable.py "$POSTGRES" >/dev/null; then
  step "migrations: no long locks"
  DATABASE_URL=$POSTGRES DJANGO_SETTINGS_MODULE=tests.lint_settings LOG_LEVEL=WARNING "$BIN/python" manage.py lintmigrations
fi
step "bandit"
# SQL made of strings and opened addresses are judged line by line by ruff (S608, S611, S310), each with its reason.
"$BIN/bandit" -q -r issues tokdash manage.py -ll -s B608,B611,B310
step "known vulnerabilities"
"$BIN/python" tests/audit_packages.py
step "templates"
"$BIN/djlint" --lint --quiet templates
step "documentation site"
NO_MKDOCS_2_WARNING=1 "$BIN/mkdocs" build --strict --quiet
step "Dockerfile and compose file"
"$BIN/hadolint" --ignore DL3008 --ignore DL3013 Dockerfile
"$BIN/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.yml
step "deployment settings"
env -u DEBUG SECRET_KEY="$("$BIN/python" -c 'import secrets; print(secrets.token_urlsafe(50))')" \
  TOKDASH_FIELD_KEYS="k1:$("$BIN/python" -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
  TOKDASH_SITE_URL=https://tokdash.example.com ALLOWED_HOSTS=tokdash.example.com \
  "$BIN/python" manage.py check --deploy --fail-level WARNING
