"""Every word can be translated, German and French are complete, and each person gets his language."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

import issues
from issues import wording
from issues.audit import Actor, Verb, checkpoints, verify, walk, watch
from issues.enums import FINISHED, Origin, Role, WorkspaceState
from issues.fixes import bulk
from issues.fixes.outcomes import BLOCKED, OUTCOMES, outcome_of
from issues.fixes.submit import submit_links
from issues.invitations import invite
from issues.link_checks.catalogue import CATALOGUE, Verdict
from issues.media.names import ALL_NAMES
from issues.models import Channel, Fix, Issue, Message, SyncGauge, Workspace
from issues.notify.collect import collect_events, language_of
from issues.notify.compose import compose_due
from issues.notify.invitations import mail_invitations
from issues.notify.keys import tell_owners_of_refused_keys
from issues.queries.history_sentences import Told, sentence_of_event
from issues.sync.sweeps import sweep_workspace
from issues.sync.troubles import SENTENCES, sentence_of
from issues.sync.workspaces import refuse_key
from tests import factories, pseudo
from tests.reading import text
from tests.test_access import OWNER_PAGES, PAGES, arguments  # noqa: F401

FOLDER = Path(issues.__file__).parent / "locale"
ROOT = FOLDER.parent.parent
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w*(?::[^}]*)?\}|%%|</?\w+|href=\"[^\"]*\"")
QUERIES = {
    "issues": ("", "?state=snoozed", "?state=fixed", "?state=all&q=zzzz", "?part=list"),
    "bulk_new": ("", "?all=1"),
}


def catalogue(language):
    return polib.pofile(str(FOLDER / language / "LC_MESSAGES" / "django.po"))


def strings(entry):
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


# --- The catalogues ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_complete_and_keeps_what_is_filled_in(language):
    for entry in catalogue(language):
        assert entry.translated(), entry.msgid
        assert not entry.fuzzy, entry.msgid
        for said in strings(entry):
            assert said.strip(), entry.msgid
            wanted = [sorted(PLACEHOLDER.findall(one)) for one in (entry.msgid, entry.msgid_plural)]
            assert sorted(PLACEHOLDER.findall(said)) in wanted, said


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_served_is_what_translators_wrote(language):
    """The compiled file beside the text: `make messages` makes it, so that nobody who installs needs a compiler."""
    compiled = polib.mofile(str(FOLDER / language / "LC_MESSAGES" / "django.mo"))

    def pairs(entries):
        return {(entry.msgctxt or "", entry.msgid): strings(entry) for entry in entries}

    assert pairs(compiled) == pairs(catalogue(language))


@pytest.mark.skipif(not shutil.which("xgettext"), reason="needs GNU gettext")
def test_no_message_is_missing_or_left_over(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    settings.LOCALE_PATHS = [tmp_path]
    call_command(
        "makemessages",
        locale=["de"],
        no_location=True,
        verbosity=0,
        ignore_patterns=[".venv", "var", "tests", "static", "locale"],
    )
    used = {(entry.msgctxt, entry.msgid) for entry in polib.pofile(str(tmp_path / "de" / "LC_MESSAGES" / "django.po"))}

    for language in LANGUAGES:
        assert {(entry.msgctxt, entry.msgid) for entry in catalogue(language)} == used


# --- Nothing is beyond translation ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted((PAGES | OWNER_PAGES) - {"insights_table"}))
def test_no_word_of_a_page_is_beyond_translation(arguments, as_user, alice, monkeypatch, name):  # noqa: F811
    url, client = reverse(name, kwargs=arguments(name)), as_user(alice)
    known = pseudo.known_words()
    pseudo.speak(monkeypatch)

    for query in QUERIES.get(name, ("",)):
        page = client.get(url + query).content.decode()

        assert pseudo.OPEN in page
        assert pseudo.strangers(page, known) == []


@pytest.mark.parametrize(
    "name", ["profile", "home", "account_login", "account_reset_password", "account_logout", "account_change_password"]
)
def test_no_word_of_an_account_page_is_beyond_translation(as_user, client, alice, monkeypatch, name):
    factories.team("One", alice), factories.team("Two", alice)
    known = pseudo.known_words()
    pseudo.speak(monkeypatch)
    visitor = client if name in {"account_login", "account_reset_password"} else as_user(alice)

    page = visitor.get(reverse(name)).content.decode()

    assert pseudo.OPEN in page
    assert pseudo.strangers(page, known) == []


STATES = [
    "queued",
    "uploading",
    "fetching",
    "uploaded",
    "sending",
    "verifying",
    "rejected",
    "needs_human",
    "cancelled",
    "superseded",
    "succeeded",
]


@pytest.mark.parametrize("state", STATES)
def test_no_word_about_a_fix_is_beyond_translation(video_issue, actor, as_user, alice, team, monkeypatch, state):
    fix = submit_links(issue=video_issue, links=["https://cdn.example.com/a.mp4"], actor=actor)
    ended = timezone.now() if state in FINISHED else None
    Fix.objects.filter(pk=fix.pk).update(
        state=state, finished_at=ended, first_sent_at=timezone.now(), code="UPLOAD_FAILED" if ended else ""
    )
    closed = {"succeeded": "fixed", "superseded": "cleared"}.get(state)
    Issue.objects.filter(pk=video_issue.pk).update(
        state=closed or ("open" if ended else "fixing"), closed_at=ended if closed else None
    )
    known, client = pseudo.known_words(), as_user(alice)
    pseudo.speak(monkeypatch)

    page = client.get(reverse("issue", args=[team.slug, video_issue.pk])).content.decode()

    assert pseudo.strangers(page, known) == []


@pytest.mark.parametrize("state", ["none", "never", "clear", "key_refused", "behind", "paused"])
def test_no_word_of_an_empty_queue_is_beyond_translation(team, small_sandbox, as_user, alice, monkeypatch, state):
    if state != "none":
        workspace = factories.connect(team, small_sandbox)
        for bundle, video in small_sandbox.control.videos(download_issue=True):
            small_sandbox.control.clear(bundle["id"], video["position"])
        if state != "never":
            sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
        if state == "behind":
            SyncGauge.objects.update(oldest_look_at=timezone.now() - timedelta(hours=3))
        if state in {"key_refused", "paused"}:
            Workspace.objects.update(state=state)
    known, client = pseudo.known_words(), as_user(alice)
    pseudo.speak(monkeypatch)

    page = client.get(reverse("issues", args=[team.slug])).content.decode()

    assert pseudo.OPEN in page
    assert pseudo.strangers(page, known) == []


def test_no_sentence_of_the_tables_is_beyond_translation(monkeypatch):
    pseudo.speak(monkeypatch)

    said = [sentence for code in CATALOGUE for sentence in (Verdict(code).sentence, Verdict(code).advice)]
    said += [sentence for code in OUTCOMES for sentence in (outcome_of(code).say, outcome_of(code).next_step)]
    said += [sentence for outcome in BLOCKED.values() for sentence in (outcome.say, outcome.next_step)]
    said += [sentence_of(code) for code in SENTENCES]
    said += [sentence_of_event(verb, Told(verb.value, "", {})) for verb in Verb] + [str(verb.label) for verb in Verb]
    assert [sentence for sentence in said if not sentence.startswith(pseudo.OPEN)] == []


def test_all_that_is_stored_in_english_is_marked_for_translation():
    """Reasons why a record does not hold, plans, and facts of the evidence: read off the code that writes them."""
    quoted = re.compile(r'f?"([A-Z][^"]+\.)"')
    reasons = set()
    for module in (verify, walk, checkpoints, watch):
        source = Path(module.__file__).read_text()
        source = re.sub(r'"""(?:.|\n)*?"""', "", source)
        reasons |= {wording.pattern_of(re.sub(r"\{[^}]+\}", "1", found)) for found in quoted.findall(source)}
    plans = {
        wording.pattern_of("“a.example” became “b.example”"),
        wording.pattern_of(f"a table of {bulk.MAX_ROWS} lines"),
    }
    facts = set(ALL_NAMES)

    assert len(reasons) > 10
    assert reasons | plans | facts <= set(wording.STORED)


# --- Each person in his language ------------------------------------------------------------------------------


def test_a_page_is_in_the_language_of_the_browser_and_the_profile_wins(team, as_user, alice):
    client, url = as_user(alice), reverse("issues", args=[team.slug])

    german = client.get(url, headers={"Accept-Language": "de-AT,en;q=0.5"})
    alice.language = "fr"
    alice.save()
    french = client.get(url, headers={"Accept-Language": "de"})

    assert '<html lang="de">' in german.content.decode()
    assert "Noch ist nichts verbunden" in text(german)
    assert "Accept-Language" in german["Vary"]
    assert '<html lang="fr">' in french.content.decode()
    assert "Rien n’est encore relié" in text(french)
    assert french["Content-Language"] == "fr"
    assert "Nothing is connected yet" in text(client_of(as_user, team, "en").get(url))


def client_of(as_user, team, language):
    user = factories.user(f"{language}@team.example", language.upper())
    factories.join(team, user, Role.EDITOR)
    user.language = language
    user.save()
    return as_user(user)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_breaks_in_another_language(arguments, as_user, alice, language):  # noqa: F811
    alice.language = language
    alice.save()
    client = as_user(alice)

    for name in sorted((PAGES | OWNER_PAGES) - {"insights_table"}):
        response = client.get(reverse(name, kwargs=arguments(name)))

        assert response.status_code == 200, name
        assert not re.search(r"%\(\w+\)s|%%", response.content.decode()), name


def test_a_stranger_gets_the_log_in_page_in_his_language(client, db):
    page = text(client.get(reverse("account_login"), headers={"Accept-Language": "fr-CH"}))

    assert "Mot de passe oublié" in page


def test_the_list_is_new_once_the_language_has_changed(page, swept, bob):
    headers = {"HX-Request": "true", "HX-Target": "issue-list"}
    url = reverse("issues", args=[swept.workspace.team.slug]) + "?part=list"
    known = page.client.get(url, headers=headers)["ETag"]
    bob.language = "de"
    bob.save()

    assert page.client.get(url, headers={**headers, "If-None-Match": known}).status_code == 200


def test_dates_and_spans_are_said_as_each_language_says_them():
    moment = datetime(2026, 5, 4, 14, 5, 9, tzinfo=UTC)

    said = {}
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            said[code] = wording.hour_text(moment), wording.long_date_text(moment), wording.span_text(100_000)

    assert said["en"] == ("Mon 4 May, 14:05", "4 May 2026", "1 d 3 h")
    assert said["de"] == ("Mo 4. Mai, 14:05", "4. Mai 2026", "1 T 3 h")
    assert said["fr"] == ("lun 4 mai, 14:05", "4 mai 2026", "1 j 3 h")


def test_a_stored_sentence_keeps_its_numbers_and_names():
    with translation.override("de"):
        assert wording.in_words("Event 12 is missing.") == "Ereignis 12 fehlt."
        assert wording.in_words("“old {x}” became “new”") == "“old {x}” wurde “new”"
        assert wording.in_words("nobody has marked {this}") == "nobody has marked {this}"
        assert wording.in_words("") == ""


def test_a_message_is_in_the_language_of_its_reader(video_issue, team, bob):
    bob.language = "de"
    bob.save()
    own = Channel.objects.get(owner__user=bob)
    shared = Channel.objects.create(team=team, kind="email", name="Ours", notices=["new"], language="fr")
    Channel.objects.update(created_at=timezone.now() - timedelta(hours=1))

    collect_events(team.pk, list(team.events.filter(verb="issue.opened")))
    Channel.objects.update(due_at=timezone.now())
    compose_due()

    assert (language_of(own), language_of(shared)) == ("de", "fr")
    german, french = (Message.objects.get(channel=channel) for channel in (own, shared))
    assert "neue Störungen" in german.subject
    assert "Was Ihnen gemeldet wird" in german.body
    assert "nouveaux incidents" in french.subject
    assert gettext("New issues") == "New issues"  # the worker's own language is as it was


def test_an_invitation_is_in_the_language_of_whoever_invites(team, alice):
    alice.language = "de"
    alice.save()
    invite(team=team, email="new@team.example", role=Role.EDITOR, actor=Actor.person(alice, Origin.PAGE))

    mail_invitations()

    assert mail.outbox[-1].subject == "Alice Owner lädt Sie zu „Bright Team“ in TokDash ein"
    assert "als Bearbeiter" in mail.outbox[-1].body


def test_owners_hear_of_a_refused_key_each_in_his_language(workspace, team, alice):
    alice.language = "fr"
    alice.save()
    refuse_key(workspace=workspace, code="AUTH_REVOKED_KEY", actor=Actor.system(Origin.SYNC))
    assert Workspace.objects.get().state == WorkspaceState.KEY_REFUSED

    tell_owners_of_refused_keys()

    assert mail.outbox[-1].subject.startswith("TokPortal refuse la clé")
    assert "AUTH_REVOKED_KEY" in mail.outbox[-1].body


def test_the_profile_offers_the_languages_and_keeps_the_choice(as_user, bob, team):
    client = as_user(bob)

    page = client.get(reverse("profile")).content.decode()
    client.post(reverse("profile"), {"name": "Bob", "time_zone": "", "language": "de"})

    assert "Deutsch" in page
    bob.refresh_from_db()
    assert bob.language == "de"
    assert client.post(reverse("profile"), {"name": "Bob", "language": "xx"}).status_code == 422
