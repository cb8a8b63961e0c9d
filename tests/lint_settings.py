"""TokDash's settings with the linter of migrations (tests/run_checks.sh): none may lock a table for long."""

from tokdash.settings import *  # noqa: F403
from tokdash.settings import BASE_DIR, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]
# Those of before the first release only ever meet an empty database.
FIRST_RELEASE = "0013"
MIGRATION_LINTER_OPTIONS = {
    "include_apps": ["issues"],
    "sql_analyser": "postgresql",
    "no_cache": True,
    "quiet": ["ok", "ignore"],
    "ignore_name": [
        path.stem for path in (BASE_DIR / "issues" / "migrations").glob("0*.py") if path.stem[:4] <= FIRST_RELEASE
    ],
    "exclude_migration_tests": ["RUNPYTHON_MODEL_VARIABLE_NAME"],
    "warnings_as_errors": [],
}
