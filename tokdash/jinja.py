"""The second template language: Jinja2, for the rows of long lists and what stands in them, templates/jinja2/.

It is compiled to Python; fifty rows of the queue take 3 ms where Django's own language takes 22 (docs/benchmarks.md).
Pages stay in Django's. The tags and filters are the same functions for both (issues.templatetags.tokdash).
"""

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from jinja2 import Environment, StrictUndefined

from issues.templatetags import tokdash as tags


def environment(**options: Any) -> Environment:
    """What `TEMPLATES` makes the engine with."""
    ours = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    options.pop("autoescape")  # told in so many words
    found = Environment(autoescape=True, **{**options, **ours})
    found.globals |= {
        "_": gettext,
        "ago": tags.ago,
        "posting": tags.posting,
        "icon": tags.icon,
        "moment": tags.moment,
        "numbered_url": numbered_url,
        "until": tags.until,
        "zip": zip,
        "url": lambda name, *args: reverse(name, args=args),
    }
    found.filters |= {"markup": markup, **tags.register.filters}
    return found


def numbered_url(name: str, *args: object) -> Callable[[int], str]:
    """The address of a page by its last number, looked up once for all rows."""
    before, _, after = reverse(name, args=[*args, 0]).rpartition("0")
    return lambda number: f"{before}{number}{after}"


def markup(pattern: str, **values: object) -> SafeString:
    """A translated pattern with markup in its values."""
    return format_html(pattern, **values)
