"""Template tags that every page has."""

import json
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache, partial
from typing import Any, cast

from django import template
from django.http import HttpRequest
from django.template import Context, engines
from django.template.backends.jinja2 import Jinja2
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

from issues.enums import NoticeKind
from issues.link_checks.catalogue import CATALOGUE
from issues.link_checks.masking import mask_secrets, shown_beside, shown_url
from issues.link_checks.urls import host_of, is_web_link
from issues.queries.channels import trouble_of
from issues.queries.counting import count_text
from issues.queries.hooks import answer_of
from issues.queries.kept import kept_text
from issues.sync.troubles import sentence_of
from issues.tokportal.days import PublishWindow
from issues.tokportal.storage_paths import is_storage_path
from issues.wording import (
    day_text,
    earlier_text,
    exact_text,
    in_words,
    left_text,
    long_date_text,
    long_day_text,
    moment_text,
    posting_texts,
    publish_text,
    span_text,
    window_text,
)

register = template.Library()
register.filter("shown_url", shown_url)
register.filter("shown_beside", shown_beside)
register.filter("mask_secrets", mask_secrets)
register.filter("count", count_text)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the vendored sprite; decoration unless it has a label."""
    return _icon(name, str(label))


@cache
def _icon(name: str, label: str) -> SafeString:
    """Hundreds of them on a page, and some hundred different ones in all."""
    sprite = static("vendor/tabler-icons/sprite.svg")
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}#{}"></use></svg>', label, sprite, name
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', sprite, name)


@register.simple_tag(takes_context=True)
def rows(context: Context, template: str, keep: object = None, **given: object) -> SafeString:
    """The rows of a long list, by a template of templates/jinja2 (see tokdash.jinja) that sees what this one sees.

    `keep`: everything that it shows, where the same is shown again and again; times are told anew every ten seconds.
    """

    def render() -> str:
        seen: dict[Any, Any] = context.flatten()
        return _compiled().env.get_template(template).render({**seen, **given})

    if keep is None:
        text = render()
    else:
        told = get_language(), timezone.get_current_timezone_name(), int(timezone.now().timestamp() // 10)
        text = kept_text((template, keep, told), render)
    return SafeString(text)  # nosec B703


@register.simple_tag
def unchanging(template: str) -> SafeString:
    """A part that is the same for everybody but for its language."""
    return SafeString(kept_text((template, get_language()), partial(render_to_string, template)))  # nosec B703


def _compiled() -> Jinja2:
    return cast("Jinja2", engines["jinja2"])


def _chip(name: str, *args: str) -> Any:
    """What a macro gives is marked as safe by Jinja2 itself."""
    chips = _compiled().env.get_template("components/chips.html")
    return getattr(chips.module, name)(*args)


register.simple_tag(partial(_chip, "platform"), name="platform_chip")
register.simple_tag(partial(_chip, "verdict"), name="verdict_chip")
register.simple_tag(partial(_chip, "state"), name="state_chip")


@register.simple_tag
def theme_of(request: HttpRequest) -> SafeString:
    """The attribute of `<html>` for the theme that the person chose with the switch; none where he chose none."""
    chosen = request.COOKIES.get("theme", "")
    return format_html(' data-theme="{}"', chosen) if chosen in {"light", "dark"} else SafeString("")


def _time(moment: datetime, text: str, css: str = "") -> SafeString:
    """A `<time>` that shows the absolute moment in the person's zone on hover."""
    return format_html(
        '<time datetime="{}" title="{}" class="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        _title(moment, timezone.get_current_timezone(), get_language()),
        css,
        text,
    )


@lru_cache(maxsize=4096)
def _title(moment: datetime, zone: tzinfo, language: str | None) -> str:
    """The absolute moment; the same ones come again with each row, page and refresh."""
    local = timezone.localtime(moment, zone)
    return f"{exact_text(local)} {local.tzname()}"


@register.filter
def duration(seconds: float | None) -> str:
    """A length of time in at most two words."""
    return "—" if seconds is None else span_text(max(seconds, 1.0))


@register.simple_tag
def ago(moment: datetime | None, never: str = "") -> str | SafeString:
    """How long ago, the moment itself on hover."""
    if moment is None:
        return never or gettext("never")
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 0:
        return _time(moment, gettext("in {span}").format(span=span_text(-seconds)))
    return _time(moment, gettext("just now") if seconds < 5 else gettext("{span} ago").format(span=span_text(seconds)))


@register.simple_tag
def until(moment: datetime | None) -> str | SafeString:
    """How long until then."""
    if moment is None:
        return ""
    seconds = (moment - timezone.now()).total_seconds()
    return _time(moment, gettext("in {span}").format(span=span_text(seconds)) if seconds > 0 else gettext("now"))


@register.simple_tag
def posting(window: PublishWindow | None) -> SafeString:
    """When a video is posted: `posts Fri 27 – Sat 28 Nov, 2 days left`, in red if it is late."""
    if not window:
        return format_html('<span class="muted">{}</span>', gettext("no date"))
    now, zone = timezone.now(), timezone.get_current_timezone()
    # The same windows come again with each row and refresh. Only a moment needs the minute, a day the day.
    is_day = all(entry.moment is None for entry in window.times)
    is_late = (window.deadline or now) < now
    until = "day" if is_day else int(now.timestamp() // 60)
    return _posting(window, now.astimezone(UTC).date(), is_late, until, zone, get_language())


@lru_cache(maxsize=4096)
def _posting(
    window: PublishWindow, today: date, is_late: bool, until: object, zone: tzinfo, language: str | None
) -> SafeString:
    now, deadline = timezone.now(), window.deadline or timezone.now()
    when, left = posting_texts(window, now, zone)
    css = "due late" if is_late else "due soon" if deadline - now < timedelta(days=1) else "due"
    if window.end is not None and window.end.moment is None:
        # TokPortal's day, also on hover: in another zone its end would be another day.
        title, machine = f"{exact_text(deadline)} UTC", window.end.day.isoformat()
    else:
        title, machine = _title(deadline, zone, language), deadline.isoformat(timespec="seconds")
    return format_html(
        '<span class="due-day">{}<span class="visually-hidden">, </span></span>'
        '<time datetime="{}" title="{}" class="{}">{}</time>',
        when, machine, title, css, left,
    )  # fmt: skip


@register.simple_tag
def deadline(moment: datetime | None) -> SafeString:
    """The same if only the deadline is known: `until Sat 28 Nov, 2 days left`."""
    return posting(PublishWindow.until(moment))


@register.filter
def time_left(moment: datetime) -> str:
    """`2 days left` before a deadline."""
    return left_text(PublishWindow.until(moment), timezone.now())


@register.filter
def days(window: PublishWindow) -> str:
    """`Fri 27 – Sat 28 Nov`: the days on which a video is posted."""
    return window_text(window)


@register.simple_tag
def day(value: datetime | None) -> str | SafeString:
    """A day without its hour, the moment itself on hover."""
    return _time(value, long_day_text(timezone.localtime(value))) if value else ""


register.filter("short_day", day_text)
register.filter("publish_day", publish_text)
register.filter("earlier", earlier_text)


@register.filter
def long_date(value: datetime) -> str:
    """`23 November 2026`, in the person's zone."""
    return long_date_text(timezone.localtime(value))


@register.simple_tag
def moment(value: datetime | None) -> str | SafeString:
    """An absolute time in the person's zone."""
    if value is None:
        return "—"
    return _time(value, moment_text(timezone.localtime(value)))


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
    "no_link": _("No link"),
    "malformed": _("Not a web link"),
    "private_address": _("Private address"),
    "signature_expired": _("Expired"),
    "signature_expires_soon": _("Ends too soon"),
    "signature_short_lived": _("Short-lived"),
    "drive_view_page": _("Drive share link"),
    "folder_link": _("Folder"),
    "document_link": _("Document"),
    "dropbox_preview": _("Dropbox share link"),
    "dropbox_incomplete": _("Link incomplete"),
    "onedrive_page": _("OneDrive page"),
    "sharepoint_login": _("Company login"),
    "transfer_page": _("Download page"),
    "social_post_page": _("Published post"),
    "story_not_repairable": _("Story"),
    "carousel_partial": _("Bad image"),
    "not_checked": _("Not checked"),
    "drive_virus_page": _("Virus warning page"),
    "drive_no_access": _("No access"),
    "drive_quota": _("Too many downloads"),
    "html_instead_of_media": _("Web page"),
    "not_media": _("Wrong kind of file"),
    "http_404": _("Gone"),
    "http_410": _("Gone"),
    "http_401": _("Login needed"),
    "http_403": _("Access refused"),
    "http_refused": _("Refused"),
    "signature_wrong": _("Signature wrong"),
    "bot_wall": _("Robot check"),
    "rate_limited": _("Host busy"),
    "dns_missing": _("No such site"),
    "dns_failed": _("Name not found"),
    "names_unavailable": _("Not checked"),
    "tls_bad": _("Bad certificate"),
    "tls_failed": _("No secure line"),
    "connection_failed": _("Not reachable"),
    "not_http": _("Unreadable"),
    "odd_port": _("Not checked"),
    "unknown_bytes": _("Unknown file"),
    "file_gone": _("Gone"),
    "signature_revoked": _("Key revoked"),
    "archived": _("Archived"),
    "traffic_limit": _("Too many downloads"),
    "drive_infected": _("Virus found"),
    "login_page": _("Login needed"),
    "not_ready": _("Not ready yet"),
    "needs_browser": _("Browsers only"),
    "needs_cookie": _("Needs a cookie"),
    "packed_body": _("Unreadable"),
    "unusual_video": _("Unusual format"),
    "unusual_image": _("Unusual format"),
    "timeout": _("No answer"),
    "too_slow": _("Too slow"),
    "server_error": _("Host trouble"),
    "unsteady": _("Unsteady"),
    "redirect_loop": _("Goes in circles"),
    "redirect_many": _("Many redirects"),
    "redirect_nowhere": _("Leads nowhere"),
    "redirect_downgrade": _("Insecure redirect"),
    "empty_file": _("Empty file"),
    "truncated": _("Cut off"),
    "mp4_unfinished": _("Export unfinished"),
    "tokportal_copy_ok": _("TokPortal's copy"),
    "tokportal_file": _("TokPortal's file"),
    "works_for_us": _("Works"),
}


@register.filter
def verdict_label(code: str) -> str:
    """Two words for a verdict's chip."""
    label = _VERDICT_LABELS.get(code)
    return gettext(label) if label else code.replace("_", " ")


@register.filter
def host_label(links: list[str], failing: str = "") -> str:
    """The host that failed, or else that of the first link, and how many more links there are."""
    is_own = is_storage_path(links[0])
    host = failing or (gettext("TokPortal's storage") if is_own else host_of(links[0]) or shown_url(links[0])[:40])
    return f"{host} +{len(links) - 1}" if len(links) > 1 else host


@register.filter
def breakable(host: str) -> SafeString:
    """A host that may break before its dots, rather than in the middle of a word."""
    first, *rest = host.split(".")
    return format_html("{}{}", first, format_html_join("", "<wbr>.{}", ([part] for part in rest)))


_PLATFORMS = {"tiktok": "TikTok", "instagram": "Instagram", "youtube": "YouTube"}


@register.filter
def platform_name(code: str) -> str:
    """A platform as it writes itself; one that we do not know as TokPortal says it."""
    return _PLATFORMS.get(code, code) or gettext("unknown platform")


@register.filter
def words(code: str) -> str:
    """An enum value of TokPortal's as words; one that we do not know just as well."""
    return in_words(code.replace("_", " ")) or gettext("unknown")


@register.filter
def verdict_says(code: str) -> str:
    """The catalogue's sentence for a verdict."""
    rule = CATALOGUE.get(code)
    return rule.say if rule else ""


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
    return " · ".join(str(NoticeKind(kind).label) for kind in kinds if kind in NoticeKind.values)


register.filter("trouble_sentence", sentence_of)
register.filter("break_reason", in_words)


@register.filter
def plan_words(how: str) -> str:
    """How a plan was made; one of an older version may quote a link with its secrets."""
    return in_words(mask_secrets(how))
