"""Keys, people and exports ask again who it is, where the last log-in is some time ago."""

import time
from typing import cast
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from issues.models import User


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person has logged in, or confirmed it, within ACCOUNT_REAUTHENTICATION_TIMEOUT.

    Somebody with neither password nor second factor has no way to confirm: his sign-on provider answers for him.
    """
    shown = [float(entry["at"]) for entry in get_authentication_records(request, request.user)]
    if shown and time.time() - max(shown) < app_settings.REAUTHENTICATION_TIMEOUT:
        return True
    return not get_reauthentication_flows(cast("User", request.user))


def ask_again(request: HttpRequest, back_to: str = "") -> HttpResponse | None:
    """Where the log-in is some time ago: the way to confirm who one is, and back, to this page or to `back_to`.

    Called after access was checked, so that outsiders learn nothing. What a form sent is not kept for afterwards (a key
    must not lie in a session): the person sends it once more.
    """
    if is_fresh(request):
        return None
    if back_to:
        messages.info(request, _("Please confirm that it is you, then do it once more."))
    address = f"{reverse('account_reauthenticate')}?{urlencode({'next': back_to or request.get_full_path()})}"
    if getattr(request, "htmx", False):
        answer = HttpResponse()
        answer["HX-Redirect"] = address
        return answer
    return HttpResponseRedirect(address)
