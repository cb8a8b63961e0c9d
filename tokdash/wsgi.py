"""The WSGI application; `granian --interface wsgi tokdash.wsgi:application` serves it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokdash.settings")

application = get_wsgi_application()
