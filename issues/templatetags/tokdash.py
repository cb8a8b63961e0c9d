"""Template tags that every page has."""

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from issues.enums import NoticeKind
from issues.links.catalogue import CATALOGUE
from issues.links.urls import host_of, is_web_link, shown_url
from issues.models import Issue
from issues.queries.channels import trouble_of
from issues.queries.hooks import answer_of
from issues.sync.troubles import sentence_of
from issues.triage.presence import holder_of

register = template.Library()
register.filter("shown_url", shown_url)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the vendored sprite; decoration unless it has a label."""
    from django.templatetags.static import static

    sprite = static("vendor/tabler-icons/sprite.svg")
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}#{}"></use></svg>', label, sprite, name
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', sprite, name)


def _span(seconds: float) -> str:
    """A length of time in at most two words: `3 h`, `2 d 4 h`, `45 min`."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{int(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if hours < 3 and minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days < 4 and hours else f"{days} d"


def _time(moment: datetime, text: str, css: str = "") -> SafeString:
    """A `<time>` that shows the absolute moment in the person's zone on hover."""
    local = timezone.localtime(moment)
    title = f"{local:%a %-d %b %Y, %H:%M:%S} {local.tzname()}"
    return format_html(
        '<time datetime="{}" title="{}" class="{}">{}</time>', moment.isoformat(timespec="seconds"), title, css, text
    )


@register.filter
def duration(seconds: float | None) -> str:
    """A length of time in at most two words."""
    return "—" if seconds is None else _span(max(seconds, 1.0))


@register.simple_tag
def ago(moment: datetime | None, never: str = "never") -> str | SafeString:
    """How long ago, the moment itself on hover."""
    if moment is None:
        return never
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 0:
        return _time(moment, f"in {_span(-seconds)}")
    return _time(moment, "just now" if seconds < 5 else f"{_span(seconds)} ago")


@register.simple_tag
def until(moment: datetime | None) -> str | SafeString:
    """How long until then."""
    if moment is None:
        return ""
    seconds = (moment - timezone.now()).total_seconds()
    return _time(moment, f"in {_span(seconds)}" if seconds > 0 else "now")


@register.simple_tag
def deadline(moment: datetime | None) -> SafeString:
    """The end of the publish window: `2 d 4 h left`, or `late by 5 h`, with its weekday."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', "no date")
    # 23:59:59 UTC is what a bare date of TokPortal's became: its day, whatever the zone.
    is_bare_day = moment.astimezone(UTC).time() == time(23, 59, 59)
    local = timezone.localtime(moment)
    day = f"{moment.astimezone(UTC):%a %-d %b}" if is_bare_day else f"{local:%a %-d %b, %H:%M}"
    left = moment - timezone.now()
    if left < timedelta(0):
        main, css = f"late by {_span(-left.total_seconds())}", "due late"
    else:
        main = f"{_span(left.total_seconds())} left"
        css = "due soon" if left < timedelta(days=1) else "due"
    return format_html('{}<span class="due-day">{}</span>', _time(moment, main, css), day)


@register.simple_tag
def day(value: datetime | None) -> str | SafeString:
    """A day without its hour, the moment itself on hover."""
    return _time(value, f"{timezone.localtime(value):%-d %B}") if value else ""


@register.simple_tag
def moment(value: datetime | None) -> str | SafeString:
    """An absolute time in the person's zone."""
    if value is None:
        return "—"
    local = timezone.localtime(value)
    return _time(value, f"{local:%-d %b %Y, %H:%M:%S}")


@register.filter
def human_bytes(size: int | None) -> str:
    """Bytes in the unit that people read."""
    if size is None:
        return ""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return ""


_DAY_NAMES = "%a %-d %b"


@register.filter
def publish_day(text: str) -> str:
    """A date as TokPortal writes it, with its weekday; as it is where it is no date."""
    from issues.tokportal.payloads import parse_moment

    found = parse_moment(text)
    if found is None:
        return text or "no date"
    return f"{found:%a %-d %b}" if len(text) == 10 else f"{timezone.localtime(found):%a %-d %b, %H:%M}"


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changes: object) -> str:
    """The current query string with changes; an empty value removes a field, and the page goes back to the first."""
    fields = context["request"].GET.copy()
    for name in ("after", "seen", "part"):
        fields.pop(name, None)
    for name, value in changes.items():
        if value in (None, ""):
            fields.pop(name, None)
        else:
            fields[name] = str(value)
    text = fields.urlencode()
    return f"?{text}" if text else "?"


_VERDICT_LABELS = {
    "no_link": "No link",
    "malformed": "Not a web link",
    "private_address": "Private address",
    "signature_expired": "Expired",
    "signature_expires_soon": "Ends too soon",
    "signature_short_lived": "Short-lived",
    "drive_view_page": "Drive page",
    "folder_link": "Folder",
    "document_link": "Document",
    "dropbox_preview": "Dropbox page",
    "dropbox_incomplete": "Link incomplete",
    "onedrive_page": "OneDrive page",
    "sharepoint_login": "Company login",
    "transfer_page": "Download page",
    "social_post_page": "Published post",
    "story_not_repairable": "Story",
    "carousel_partial": "Bad image",
    "not_checked": "Not checked",
    "drive_virus_page": "Virus warning page",
    "drive_no_access": "No access",
    "drive_quota": "Too many downloads",
    "html_instead_of_media": "Web page",
    "not_media": "Wrong kind of file",
    "http_404": "Gone",
    "http_410": "Gone",
    "http_401": "Login needed",
    "http_403": "Access refused",
    "http_refused": "Refused",
    "signature_wrong": "Signature wrong",
    "bot_wall": "Robot check",
    "rate_limited": "Host busy",
    "dns_missing": "No such site",
    "dns_failed": "Name not found",
    "names_unavailable": "Not checked",
    "tls_bad": "Bad certificate",
    "tls_failed": "No secure line",
    "connection_failed": "Not reachable",
    "not_http": "Unreadable",
    "odd_port": "Not checked",
    "unknown_bytes": "Unknown file",
    "timeout": "No answer",
    "too_slow": "Too slow",
    "server_error": "Host trouble",
    "unsteady": "Unsteady",
    "redirect_loop": "Goes in circles",
    "redirect_many": "Many redirects",
    "redirect_nowhere": "Leads nowhere",
    "redirect_downgrade": "Insecure redirect",
    "empty_file": "Empty file",
    "truncated": "Cut off",
    "mp4_unfinished": "Export unfinished",
    "tokportal_copy_ok": "TokPortal's copy",
    "works_for_us": "Works",
}


@register.filter
def verdict_label(code: str) -> str:
    """Two words for a verdict's chip."""
    return _VERDICT_LABELS.get(code, code.replace("_", " "))


@register.filter
def host_label(links: list[str]) -> str:
    """The host of the first link, and how many more there are."""
    host = host_of(links[0]) or shown_url(links[0])[:40]
    return f"{host} and {len(links) - 1} more" if len(links) > 1 else host


@register.filter
def words(code: str) -> str:
    """An enum value of TokPortal's as words; one that we do not know just as well."""
    return code.replace("_", " ") or "unknown"


@register.filter
def verdict_says(code: str) -> str:
    """The catalogue's sentence for a verdict."""
    rule = CATALOGUE.get(code)
    return rule.say if rule else ""


@register.filter
def holder_name(issue: Issue) -> str:
    """Who is on it now, an empty string for nobody."""
    holder = holder_of(issue)
    return (holder.get_full_name() or holder.email) if holder else ""


@register.filter
def as_json(value: object) -> str:
    """For a data attribute; the template escapes it."""
    return json.dumps(value)


@register.filter
def person(actor_name: str) -> str:
    """The name without its address."""
    return actor_name.split(" <")[0]


register.filter("is_web_link", is_web_link)
register.filter("hook_answer", answer_of)
register.filter("message_trouble", trouble_of)


@register.filter
def notice_names(kinds: list[str]) -> str:
    """What a channel tells of, in words."""
    return ", ".join(
        NoticeKind(kind).label.split(":")[-1].strip().lower() for kind in kinds if kind in NoticeKind.values
    )


register.filter("trouble_sentence", sentence_of)
