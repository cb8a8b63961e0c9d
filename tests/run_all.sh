#!/bin/sh
# The whole check, as `make test` runs it: the checks, then the tests on SQLite, then again on PostgreSQL with Redis
# where those answer. What could not be run is said at the end, and fails where TOKDASH_REQUIRE_ALL=1 (as in CI).
set -eu
BIN=${BIN:-.venv/bin}
sh tests/run_checks.sh
skipped=""
export PYTHONWARNINGS=default
# One drives the browser with its demos, one waits for what killed workers left, one does the rest (xdist groups).
WORKERS=${TEST_WORKERS:-3}

printf '\n== tests on SQLite with the embedded broker\n'
DATABASE_URL= "$BIN/python" -m pytest -n "$WORKERS" --dist loadgroup -q ${PYTEST_ARGS:-}

POSTGRES=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/test}
REDIS=${TEST_REDIS_URL:-redis://127.0.0.1:6379/9}
# These never touch the database that the run is about, or only to fill pages whose words they read.
WITHOUT_DATABASE="--ignore=tests/test_client.py --ignore=tests/test_client_errors.py --ignore=tests/test_official_client.py --ignore=tests/test_sandbox.py
  --ignore=tests/test_payloads.py --ignore=tests/test_verdicts.py --ignore=tests/test_commands.py
  --ignore=tests/test_project.py --ignore=tests/test_languages.py --ignore=tests/test_link_guard.py
  --ignore=tests/test_link_check.py --ignore=tests/test_media.py --ignore=tests/test_image.py"
if "$BIN/python" tests/reachable.py "$POSTGRES" "$REDIS"; then
  printf '\n== tests on PostgreSQL with Redis\n'
  DATABASE_URL=$POSTGRES CELERY_BROKER_URL=$REDIS "$BIN/python" -m pytest -n "$WORKERS" --dist loadgroup -q -m "not browser" $WITHOUT_DATABASE ${PYTEST_ARGS:-}
else
  skipped="$skipped PostgreSQL+Redis"
fi
test -x "${CHROMIUM:-/usr/bin/chromium}" || skipped="$skipped browser"
command -v xgettext >/dev/null || skipped="$skipped gettext"

if [ -n "$skipped" ]; then
  printf '\nNOT RUN on this machine:%s\n' "$skipped"
  if [ "${TOKDASH_REQUIRE_ALL:-0}" = 1 ]; then exit 1; fi
fi
printf '\nThe whole check has passed.\n'
