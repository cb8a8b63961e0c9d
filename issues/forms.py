"""Forms: what a page sends, cleaned."""

from datetime import date
from functools import partial
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.http import QueryDict
from django.utils.text import format_lazy
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from issues.enums import ChannelKind, NoticeKind, Pace, Role
from issues.models import Channel, User
from issues.models.teams import MIN_HISTORY_DAYS
from issues.models.workspaces import MAX_AGE_MINUTES, MIN_AGE_MINUTES
from issues.notify.channels import Wishes
from issues.outgoing.payloads import TYPES


def zone_choices(empty: str) -> list[tuple[str, str]]:
    """The world's time zones by region, with what an empty choice means."""
    names = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    return [("", gettext(empty)), ("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


def number_of(text: object) -> int | None:
    """A small number from a hidden field or checkbox; `None` for anything else."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 7 else None


MAX_LINKS_TEXT = 200_000  # characters: twenty links of the longest kind, and what came along with them


def dates_wish_of(said: QueryDict) -> bool | None:
    """Whether the person keeps the planned dates: a hidden 0, and a 1 of the ticked box. `None`: not asked."""
    values = said.getlist("keep_dates")
    return "1" in values if values else None


class LinksForm(forms.Form):
    """One link, or for a carousel one in each line, in order."""

    links = forms.CharField(
        max_length=MAX_LINKS_TEXT,
        strip=True,
        error_messages={"required": _("Paste a link, or upload a file.")},
        widget=forms.Textarea,
    )

    def clean_links(self) -> list[str]:
        return [line.strip() for line in str(self.cleaned_data["links"]).splitlines() if line.strip()]


def _expiry(label: Any) -> forms.DateField:
    return forms.DateField(
        required=False,
        label=label,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("TokPortal shows it beside the key, if it has one. The owners are reminded before that day."),
    )


class WorkspaceForm(forms.Form):
    """Connect a workspace. Keys are never shown again.

    Which TokPortal it is, the operator says (TOKPORTAL_BASE_URL): one from a page could point our server anywhere.
    """

    name = forms.CharField(
        max_length=80,
        label=_("Name"),
        help_text=_("What your team calls this TokPortal account."),
    )
    read_key = forms.CharField(
        max_length=512,
        label=_("API key"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("From TokPortal → Settings → API keys. A key for everything, or one that may only read."),
    )
    write_key = forms.CharField(
        max_length=512,
        required=False,
        label=_("Second key for fixes"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Only where the first key may only read."),
    )
    read_key_expires_on = _expiry(_("The API key expires on"))
    write_key_expires_on = _expiry(_("The second key expires on"))


class RotateForm(forms.Form):
    """Replace keys; an empty field leaves its key as it is."""

    read_key = forms.CharField(
        max_length=512,
        required=False,
        label=_("New API key"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    write_key = forms.CharField(
        max_length=512,
        required=False,
        label=_("New key for fixes"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Leave empty to keep what is there."),
    )
    read_key_expires_on = _expiry(_("The API key expires on"))
    write_key_expires_on = _expiry(_("The key for fixes expires on"))

    def expires(self) -> dict[str, date | None]:
        """The days of the fields that were sent, by key."""
        return {
            which: self.cleaned_data[f"{which}_expires_on"]
            for which in ("read_key", "write_key")
            if f"{which}_expires_on" in self.data
        }


class WorkspaceChangeForm(forms.Form):
    """Its name, and how long a bundle may go without a look."""

    name = forms.CharField(max_length=80, label=_("Name"))
    max_age_minutes = forms.IntegerField(
        min_value=MIN_AGE_MINUTES,
        max_value=MAX_AGE_MINUTES,
        label=_("Look at every bundle at least every … minutes"),
        help_text=_(
            "Those where a flag is likely are looked at far more often, as far as TokPortal's rate limit allows."
        ),
    )
    low_credits = forms.IntegerField(
        min_value=0,
        max_value=1_000_000,
        required=False,
        label=_("Warn the owners below … credits"),
        help_text=_("A fix can cost credits if the Coverage of its account is due. 0: never."),
    )


class HookForm(forms.Form):
    """An endpoint of the team's own systems."""

    name = forms.CharField(max_length=80, label=_("Name"))
    url = forms.CharField(
        max_length=500,
        label=_("Address"),
        help_text=_("https://…, reachable from the internet."),
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/tokdash"}),
    )
    types = forms.MultipleChoiceField(
        choices=TYPES.items,
        initial=list(TYPES),
        label=_("Tell it when"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one kind of event.")},
    )


class ChannelForm(forms.Form):
    """Where somebody is told, of what, how often, and when not."""

    kind = forms.ChoiceField(choices=ChannelKind.choices, label=_("By"))
    name = forms.CharField(max_length=80, label=_("Name"), initial=_("E-mail"))
    target = forms.CharField(
        max_length=1000,
        required=False,
        label=_("Where to"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "The webhook address that Slack, Discord or Teams gives you, or an https:// address of your own. "
            "E-mail of your own goes to your address."
        ),
    )
    notices = forms.MultipleChoiceField(
        choices=NoticeKind.choices,
        initial=[NoticeKind.NEW, NoticeKind.OVERDUE, NoticeKind.FAILED, NoticeKind.REMINDER],
        label=_("Tell of"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one thing to be told of.")},
    )
    only_mine = forms.BooleanField(required=False, label=_("only issues that are mine or nobody’s"))
    pace = forms.ChoiceField(choices=Pace.choices, initial=Pace.SOON, label=_("How often"))
    quiet_from = forms.TimeField(required=False, label=_("From"), widget=forms.TimeInput(attrs={"type": "time"}))
    quiet_until = forms.TimeField(required=False, label=_("Until"), widget=forms.TimeInput(attrs={"type": "time"}))
    time_zone = forms.ChoiceField(
        choices=partial(zone_choices, gettext_noop("That of my profile, else UTC")),
        required=False,
        label=_("Time zone"),
        error_messages={"invalid_choice": _("This time zone is not known.")},
    )
    language = forms.ChoiceField(
        choices=[("", _("That of my profile, else English")), *settings.LANGUAGES], required=False, label=_("Language")
    )

    def __init__(self, *args: Any, is_own: bool, kind: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known_kind = kind
        if kind:
            del self.fields["kind"]
            self.fields["target"].help_text = gettext("Empty: as it is.")
        if not is_own:
            del self.fields["only_mine"]

    @classmethod
    def of(cls, channel: Channel) -> "ChannelForm":
        """What is there, without the target: whoever knows it can post there."""
        names = ("name", "notices", "only_mine", "pace", "quiet_from", "quiet_until", "time_zone", "language")
        values = {name: getattr(channel, name) for name in names}
        return cls(initial=values, is_own=channel.owner_id is not None, kind=channel.kind)

    def wishes(self) -> Wishes:
        """What was typed, for the domain."""
        data = dict(self.cleaned_data)
        kind = ChannelKind(data.pop("kind", "") or self.known_kind)
        return Wishes(kind=kind, **{**data, "pace": Pace(data["pace"])})


class InviteForm(forms.Form):
    """Invite a person to the team."""

    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(choices=Role.choices, initial=Role.EDITOR, label=_("Role"))


class JoinForm(forms.Form):
    """Somebody new, who came by an invitation, chooses name and password."""

    name = forms.CharField(max_length=120, label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = forms.CharField(
        max_length=1024,
        strip=False,
        label=_("Password"),
        help_text=_("At least ten characters."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if "password" in data:
            try:
                validate_password(data["password"], User(email=self.email, name=data.get("name", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return data


class TeamForm(forms.Form):
    """The team's name and rules."""

    name = forms.CharField(max_length=120, label=_("Name"))
    requires_two_factor = forms.BooleanField(required=False, label=_("Everybody needs a second factor"))
    keeps_dates = forms.TypedChoiceField(
        choices=[("True", _("Keep the planned dates")), ("False", _("Let it post earlier"))],
        coerce=lambda text: text == "True",
        required=False,
        empty_value=None,  # a form without the field leaves the rule as it is
        label=_("If a fix would post earlier than planned"),
        help_text=_(
            "A fix moves a video to tomorrow. If it was planned for later, its planned dates can be restored after the "
            "fix. This is the default; people can choose otherwise for each fix."
        ),
    )
    history_days = forms.IntegerField(
        required=False,
        min_value=MIN_HISTORY_DAYS,
        max_value=36500,
        label=_("Keep the history for … days"),
        help_text=format_lazy(
            _("Empty: for ever. At least {days}. What is older goes for good, behind a signed cut."),
            days=MIN_HISTORY_DAYS,
        ),
    )


class RoleForm(forms.Form):
    """Give a member another role."""

    role = forms.ChoiceField(choices=Role.choices)


class ProfileForm(forms.Form):
    """The person's own name and time zone."""

    name = forms.CharField(max_length=120, required=False, label=_("Name"))
    time_zone = forms.ChoiceField(
        choices=partial(zone_choices, gettext_noop("That of my browser")),
        required=False,
        label=_("Time zone"),
        error_messages={"invalid_choice": _("This time zone is not known.")},
    )
    language = forms.ChoiceField(
        choices=[("", _("That of my browser")), *settings.LANGUAGES], required=False, label=_("Language")
    )
