"""TokDash's settings with Django's admin beside it (tests/bench/admin_site.py)."""

from tokdash.settings import *  # noqa: F403
from tokdash.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.admin"]
ROOT_URLCONF = "tests.bench.admin_site"
