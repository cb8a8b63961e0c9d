"""German and French in a real browser: longer words fit, scripts speak the language, and the main job is done in it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import browser as b
from tests.make_screenshots import ACCOUNT, PAGES
from tests.test_browser import TEAM, run_axe

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not Path(b.CHROMIUM).exists(), reason="no chromium on this machine"),
]


@pytest.fixture(scope="module")
def speaking(chromium, demo):
    """A function that opens a page of somebody who has chosen the language in his profile."""
    opened = []

    def speak(language, **options):
        page = b.open_page(chromium, **options)
        opened.append(page)
        b.log_in(page, demo.url)
        b.wait_for_issues(page, 10)
        page.goto(demo.url + "/profile/")
        page.locator("#id_language").select_option(language)
        page.locator("main form button").click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        return page

    yield speak
    for page in opened:
        page.context.close()


@pytest.mark.parametrize(("language", "dark"), [("de", False), ("fr", True)])
def test_longer_words_fit_a_phone_and_are_accessible(speaking, demo, language, dark):
    page = speaking(language, width=390, height=844, dark=dark)
    page.goto(demo.url + TEAM + "/?state=open")
    issue = page.locator("a.row-title").first.get_attribute("href")

    for path in [TEAM + path for path in PAGES.values()] + [*ACCOUNT.values(), issue]:
        page.goto(demo.url + path)
        assert b.width_of(page) <= 390, path
        assert run_axe(page).response["violations"] == [], path
    assert page.complaints == []


def test_a_fix_in_german_says_each_step_in_german(speaking, demo):
    page = speaking("de")
    page.goto(demo.url + TEAM + "/?state=open")
    for href in [row.get_attribute("href") for row in page.locator("a.row-title").all()]:
        page.goto(demo.url + href)
        if page.get_by_role("tab", name="Link", exact=True).count():
            break
    page.get_by_label("Ein Link, der das Video herunterlädt").fill("https://cdn.example.com/ok.mp4")
    page.get_by_role("button", name="Reparatur senden").click()

    expect(page.get_by_text("Behoben und bestätigt.")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("hat einen neuen Link angegeben")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("nächste Störung")


def test_scripts_speak_the_language_of_the_page(speaking, demo, tmp_path):
    page = speaking("fr")
    page.goto(demo.url + TEAM + "/?state=open")
    for href in [row.get_attribute("href") for row in page.locator("a.row-title").all()]:
        page.goto(demo.url + href)
        if page.get_by_role("tab", name="Fichier", exact=True).count():
            break
    page.get_by_role("tab", name="Fichier").click()
    page.locator("#file-input").set_input_files(b.write_clip(tmp_path / "film.mp4", 40_000_000))
    page.get_by_role("button", name="Envoyer le fichier et la réparation").click()

    expect(page.locator("[data-status]")).to_have_text(re.compile(r"Envoi \d+ % · .* sur 40,0 MB|Envoyé\. "))
    expect(page.get_by_text("Réparé et vérifié.")).to_be_visible(timeout=30_000)
