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
WITHOUT_DATABASE=""
for name in answers client client_errors commands completeness contract dates_command hostile_servers image \
  known_hosts languages link_check link_guard masking media official_client opposites paste payloads \
  project rechecks sandbox sandbox_service service_payloads spreadsheets static_files table_rows \
  tables verdicts; do
  WITHOUT_DATABASE="$WITHOUT_DATABASE --ignore=tests/test_$name.py"
done
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
