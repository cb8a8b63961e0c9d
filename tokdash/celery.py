"""Celery: it wakes workers up, no more. The database is the queue (see issues/fixes/lifecycle.py).

The options were chosen by measuring what happens when workers are killed and brokers fall silent; each has
its reason beside it in settings.py.
"""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokdash.settings")

TRANSPORT_ALIASES["embedded"] = "tokdash.broker:Transport"
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "tokdash.steady_redis:Transport"

app = Celery("tokdash")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
