"""What people paste: cleaned, read, and offered with one click; never picked for them."""

import json
import time
from base64 import b64encode
from datetime import UTC, datetime
from html import escape
from io import StringIO
from urllib.parse import quote

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from issues.enums import FixKind
from issues.fixes.given_links import LinkRefusal
from issues.fixes.link_gate import BadLinkError
from issues.fixes.submit import check_links
from issues.link_checks.paste import clean, links_in, read
from issues.link_checks.url_rules import judge_link
from issues.link_checks.urls import is_web_link, parse_link, sendable_form
from issues.link_checks.wrappers import unwrap

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LINK = "https://cdn.example.com/reel.mp4"
SIGNED = "https://b.s3.amazonaws.com/a%20b.mp4?X-Amz-Credential=A%2F2026&X-Amz-Signature=ab%2fCD~'&name=x"


def offered(text):
    return judge_link(clean(text), needed_until=None, now=NOW).repaired


@pytest.mark.parametrize("link", [LINK, SIGNED])
@pytest.mark.parametrize(
    "around",
    ["{}\u200b", "\ufeff{}", "\u202a{}\u202c", "\u2066{}\u2069", "\u00ad{}\u00ad", "\u00a0{}\u00a0", "{}\u200e", "{}\r\n",
     "\t{}\u3000", '"{}"', "'{}'", "“{}”", "„{}“", "«{}»", "‘{}’", "`{}`", "<{}>", "({})", "[{}]", "「{}」", "“{}", "{}”",
     "\u200b“<{}>”\u200b", "*{}*", "_{}_", "~~{}~~", "( {} )", "\u2800{}\ufe0f"],
)  # fmt: skip
def test_what_certainly_is_no_part_of_a_link_is_taken_away(around, link):
    assert clean(around.format(link)) == link
    assert read(clean(around.format(link))).link == link


@pytest.mark.parametrize(
    "link",
    [
        LINK, SIGNED, "https://agency-media.s3.amazonaws.com/Nordic+Kids'+Table+Set.mp4", "https://cdn.example.com/reel_(1).mp4",
        "https://res.cloudinary.com/acme/image/fetch/f_jpg,w_1080/https://acme.example.com/images/summer.jpg",
        "https://cdn.example.com/clip.mp4?ref=tiktok|reel", "https://cdn.example.com/{a}.mp4?b={c}",
        "https://cdn.example.com/a.mp4?x=1&copy=2&reg=3", "https://cdn.example.com/a.mp4#t=10",
        "https://cdn.example.com/a?u=https://b.example/b,https://c.example/c", "https://cdn.example.com/a?sig=abc%3D%3D",
        "https://cdn.example.com/a?next=https%3A%2F%2Fb.example%2F", "https://cdn.example.com/👨\u200d👩\u200d👧.mp4",
        "https://cdn.example.com/a?" + "x" * 5000,
    ],
)  # fmt: skip
def test_good_links_are_left_alone(link):
    assert clean(link) == link
    assert read(link) == type(read(link))(link=sendable_form(link), count=1)
    verdict = judge_link(link, needed_until=None, now=NOW)
    assert verdict.code == "not_checked"
    assert verdict.repaired in {"", sendable_form(link)}


@pytest.mark.parametrize(
    "text",
    [
        "[reel]({})", '[reel]({} "the reel")', "![reel]({})", "[reel](<{}>)", "[1]: {}", "[1]: <{}> 'title'\n\nSee [reel][1]",
        "<{}|reel.mp4>", "see <{}|reel.mp4> please", "<URL:{}>", "URL: {}", "Here is the video: {}",
        "Here is the video: {}, thanks", "Here is the video:\n{}\n\nBest,\nAnna", "Link ({}).", "{} thanks!",
        "see *{}* now", "[url]{}[/url]", "[url={}]reel[/url]", "[[{}][reel]]", "[reel|{}]", "视频：{}，谢谢", "- {}",
        '<a href="{}">click</a>', "<p>See <a class=x href='{}'><b>here</b></a></p>", '<video controls src="{}"></video>',
        '<a href="{0}">{0}</a>', "{0}\n{0}", "{0} {0}", "[{0}]({0})", "{0}{0}", "Video » {} «",
    ],
)  # fmt: skip
@pytest.mark.parametrize("link", [LINK, "https://cdn.example.com/v?sig=a%2fB&t=1"])
def test_the_one_link_in_a_text_is_offered(text, link):
    escaped = escape(link, quote=False) if text.startswith(("<", "see <")) else link
    text = text.format(escaped)
    assert offered(text) == link
    with pytest.raises(LinkRefusal) as caught:
        check_links(FixKind.URL, text.splitlines())
    assert caught.value.suggestion == link


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (LINK + ")", LINK), (LINK + ".", LINK), (LINK + ",", LINK), (LINK + ").", LINK), (LINK + "!", LINK), (LINK + "…", LINK),
        ("https://cdn.example.com/reel_(1).mp4).", "https://cdn.example.com/reel_(1).mp4"),
        ("https://cdn.example.com/a.mp4?x=1&amp;y=2", "https://cdn.example.com/a.mp4?x=1&y=2"),
        ("https://cdn.example.com/a.mp4&quot;", "https://cdn.example.com/a.mp4"),
        ("cdn.example.com/reel.mp4", LINK), ("www.example.com/a.mp4", "https://www.example.com/a.mp4"),
        ("//cdn.example.com/reel.mp4", LINK), ("hxxps://cdn.example.com/reel.mp4", LINK), ("ttps://cdn.example.com/reel.mp4", LINK),
        ("https//cdn.example.com/reel.mp4", LINK), ("https:/cdn.example.com/reel.mp4", LINK),
        ("https://cdn.example.com\\reel.mp4", LINK), ("https://cdn.example.com/ve\nry/long.mp4", "https://cdn.example.com/very/long.mp4"),
        ("https://cdn.example.com/clips/reel #1 final.mp4", "https://cdn.example.com/clips/reel%20%231%20final.mp4"),
        ("https://cdn.example.com/my reel final.mp4", "https://cdn.example.com/my%20reel%20final.mp4"),
    ],
)  # fmt: skip
def test_broken_links_are_mended(text, link):
    assert offered(text) == link


@pytest.mark.parametrize(
    "text",
    ["", "reel", "file:///x.mp4", "C:\\videos\\a.mp4", "javascript:alert(1)", "see https:// and http://", "https://u:p@a.example/x",
     "mailto:a@b.example", "http://10.0.0.1/a.mp4)", "[x](http://localhost/a.mp4)", "192.168.0.1/a.mp4",
     "[x](https://drive.google.com/drive/folders/abc)", "see https://www.tiktok.com/@x/video/1"],
)  # fmt: skip
def test_nothing_is_offered_that_nobody_may_send(text):
    assert offered(text) == ""


@pytest.mark.parametrize(
    "text",
    [f"{LINK} https://b.example/b.mp4", f"{LINK}\nhttps://b.example/b.mp4", f"{LINK},https://b.example/b.mp4",
     f"{LINK}https://b.example/b.mp4", f"[a]({LINK}) [b](https://b.example/b.mp4)", f"A: {LINK}; B: https://b.example/b.mp4."],
)  # fmt: skip
def test_two_links_are_said_to_be_two(text):
    verdict = judge_link(clean(text), needed_until=None, now=NOW)
    assert (verdict.code, verdict.repaired) == ("malformed", "")
    assert verdict.sentence == "There are 2 links here, and one is wanted."
    with pytest.raises(LinkRefusal, match="There are 2 links here") as caught:
        check_links(FixKind.URL, text.splitlines(), unchecked=True)
    assert not caught.value.can_insist


def test_a_carousel_takes_several_links_in_a_line():
    links = [f"https://cdn.example.com/{number}.jpg" for number in range(1, 5)]
    lines = [f"{links[0]}, {links[1]}", f"\u200b“{links[2]}”", links[3]]
    assert check_links(FixKind.CAROUSEL_URLS, lines) == links
    with pytest.raises(LinkRefusal, match="Image 2: There are 2 links here"):
        check_links(FixKind.CAROUSEL_URLS, [links[0], f"a {links[1]} b {links[2]}"])


# --- Wrappers -----------------------------------------------------------------------------------------------

INNER = "https://cdn.example.com/a b/reel.mp4?sig=x%2By&n=1".replace(" ", "%20")
PACKED = quote(INNER, safe="")
WRAPPERS = {
    f"https://eur02.safelinks.protection.outlook.com/?url={PACKED}&data=05%7C01%7Cx&sdata=y%3D&reserved=0": INNER,
    f"https://nam12.safelinks.protection.outlook.com/ap/w-59584e83/?url={PACKED}&data=05": INNER,
    f"https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url={PACKED}": INNER,
    f"https://www.google.com/url?q={PACKED}&sa=D&source=editors": INNER,
    f"https://google.co.uk/url?sa=t&url={PACKED}": INNER,
    f"https://l.facebook.com/l.php?u={PACKED}&h=AT0": INNER,
    f"https://lm.facebook.com/l.php?u={PACKED}": INNER,
    f"https://l.instagram.com/?u={PACKED}&e=AT": INNER,
    f"https://slack-redir.net/link?url={PACKED}": INNER,
    f"https://t.umblr.com/redirect?z={PACKED}&t=x": INNER,
    f"https://www.linkedin.com/safety/go?url={PACKED}&trk=x": INNER,
    f"https://www.youtube.com/redirect?event=video_description&q={PACKED}": INNER,
    f"https://out.reddit.com/t3_x?url={PACKED}": INNER,
    f"https://vk.com/away.php?to={PACKED}": INNER,
    "https://href.li/?" + INNER: INNER,
    f"https://clicktime.symantec.com/15abc?h=x&u={PACKED}": INNER,
    f"https://protect2.fireeye.com/v1/url?k=abc&q=1&u={PACKED}": INNER,
    f"https://eu-central-1.protection.sophos.com?d=example.com&u={b64encode(INNER.encode()).decode()}&i=a": INNER,
    f"https://t.me/iv?url={PACKED}&rhash=abc": INNER,
    # Of which nobody has heard, and which say what they are.
    f"https://linkprotect.gateway.example/v2/scan?url={PACKED}&sig=abc": INNER,
    f"https://mail.example.com/safelink?a=1&target={PACKED}": INNER,
    f"https://news.example.com/redirect.php?to={PACKED}": INNER,
    f"https://track.example.com/click?u={PACKED}": INNER,
    "https://urldefense.proofpoint.com/v2/url?u=https-3A__cdn.example.com_reel-5Fone.mp4-3Fa-3D1&d=DwMF": (
        "https://cdn.example.com/reel_one.mp4?a=1"
    ),
    "https://urldefense.com/v3/__https://cdn.example.com/reel.mp4?a=1__;!!abc$": "https://cdn.example.com/reel.mp4?a=1",
    "https://urldefense.com/v3/__https://cdn.example.com/reel*20one*20.mp4__;JSU!!abc$": (
        "https://cdn.example.com/reel%20one%20.mp4"
    ),
    "https://protect.checkpoint.com/v2/___https://cdn.example.com/reel.mp4___.abc123": LINK,
    "https://www.bing.com/ck/a?!&&p=x&u=a1aHR0cHM6Ly9jZG4uZXhhbXBsZS5jb20vcmVlbC5tcDQ&ntb=1": LINK,
}


@pytest.mark.parametrize(("wrapper", "inner"), WRAPPERS.items())
def test_known_wrappers_are_unwrapped(wrapper, inner):
    assert unwrap(wrapper) == inner
    assert offered(wrapper) == inner
    assert offered(f"Here: <{wrapper}>.") == inner
    # The wrapper itself may lead there too: it is opened, never condemned.
    assert judge_link(wrapper, needed_until=None, now=NOW).code == "not_checked"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"url": "https:\\/\\/cdn.example.com\\/reel.mp4?a=1\\u0026b=2"}', "https://cdn.example.com/reel.mp4?a=1&b=2"),
        ("ｈｔｔｐｓ：／／cdn.example.com/reel.mp4", LINK),
        ("https：//cdn.example.com/reel.mp4", LINK),
        ("https://https://cdn.example.com/reel.mp4", LINK),
        ("Video: http://https://cdn.example.com/reel.mp4", LINK),
        (quote(LINK, safe=""), LINK),
        ("https://cdn.example.com/re=\nel.mp4", LINK),
        ("https://cdn.example.com/re\nel.mp4", LINK),
        ("https://cdn.example.com/reel.mp4，谢谢", LINK),
        ("動画はこちら→https://cdn.example.com/reel.mp4です", LINK),
        ("https://cdn.example.com/reel.mp4، شكرا", LINK),
        ("https://cdn.example.com/reel.mp4—", LINK),
        ("https://cdn.example.com/reel.mp4\ufe0e\U000e0001", LINK),
        ("&quot;https://cdn.example.com/reel.mp4&quot;", LINK),
        ("&lt;https://cdn.example.com/reel.mp4&gt;", LINK),
        ("https:&#x2F;&#x2F;cdn.example.com&#x2F;reel.mp4", LINK),
        ("https://cdn.example.com/my\\_reel.mp4", "https://cdn.example.com/my_reel.mp4"),
        ("\\href{https://cdn.example.com/reel.mp4}{reel}", LINK),
        ("https://cdn.example.com/clip #2.mp4?x=1", "https://cdn.example.com/clip%20%232.mp4?x=1"),
        ("https://cdn.example.com/Client #3/reel.mp4", "https://cdn.example.com/Client%20%233/reel.mp4"),
        ("https://app.example.com/#/videos/reel.mp4", ""),
        ("blob:https://app.example.com/0f8fad5b-d9cb-469f-a165-70867728950e", ""),
        ("https://https://10.0.0.1/reel.mp4", ""),
        ("ｈｔｔｐ：／／169.254.169.254/reel.mp4", ""),
        ("https%3A%2F%2F127.0.0.1%2Freel.mp4", ""),
    ],
)
def test_links_in_disguise(text, meant):
    cleaned = clean(text)
    assert cleaned == meant or offered(text) == meant
    assert is_web_link(meant) or not meant


def test_wrappers_in_wrappers():
    twice = f"https://www.google.com/url?q={quote(next(iter(WRAPPERS)), safe='')}"
    assert offered(twice) == INNER


@pytest.mark.parametrize(
    "link",
    ["https://www.google.com/search?q=https://cdn.example.com/a.mp4", "https://cdn.example.com/a?url=https://b.example/b",
     "https://www.google.com/url?q=javascript:alert(1)", "https://evil.example/?q=https://cdn.example.com/",
     "https://img.example.com/go/resize.jpg?url=https://cdn.example.com/a.jpg",
     "https://safelinks.protection.outlook.com.evil.example/?url=https://cdn.example.com/a.mp4"],
)  # fmt: skip
def test_other_links_with_links_inside_are_no_wrappers(link):
    assert unwrap(link) == ""


@pytest.mark.parametrize(
    ("inner", "code"),
    [("https://drive.google.com/drive/folders/abc", "folder_link"), ("http://192.168.0.7/a.mp4", "private_address"),
     ("https://we.tl/t-abc", "transfer_page")],
)  # fmt: skip
def test_what_a_wrapper_leads_to_is_judged(inner, code):
    verdict = judge_link(f"https://l.facebook.com/l.php?u={quote(inner, safe='')}", needed_until=None, now=NOW)
    assert (verdict.code, verdict.repaired) == (code, "")


# --- What a suggestion always is ---------------------------------------------------------------------------

_NEEDED = {
    "https://drive.google.com/file/d/0Byabc/view?usp=drivesdk&resourcekey=0-Ye4": ["0Byabc", "resourcekey=0-Ye4"],
    "https://drive.google.com/open?usp=drive_copy&id=1abc": ["1abc"],
    "https://www.dropbox.com/scl/fi/abc/reel.mp4?rlkey=qwe&st=xyz&dl=0": [
        "/abc/reel.mp4",
        "rlkey=qwe",
        "st=xyz",
        "dl=1",
    ],
    "https://www.dropbox.com/s/abc/reel.mp4": ["/s/abc/reel.mp4", "dl=1"],
    "https://acme-my.sharepoint.com/:v:/g/personal/x/EoW?e=abc": ["/EoW", "e=abc", "download=1"],
    "https://onedrive.live.com/embed?cid=1&resid=2&authkey=A": ["cid=1", "resid=2", "authkey=A"],
    SIGNED: ["X-Amz-Signature=ab%2fCD~'", "Credential=A%2F2026"],
    "https://d1.cloudfront.net/a.mp4?Policy=eyJ_&Signature=a~b-c&Key-Pair-Id=K": ["Policy=eyJ_", "Signature=a~b-c"],
}
_FORMS = [
    "{}", "{})", "{}.", "<{}|x>", "[x]({})", "Here: {} thanks", "\u200b{}\u200b", "“{}”", "<{}>", "WRAP", "HTML", "WRAP)",
]  # fmt: skip


def _in_form(link, form):
    if form.startswith("WRAP"):
        return f"https://nam01.safelinks.protection.outlook.com/?url={quote(link, safe='')}&data=1{form[4:]}"
    return f'<a href="{escape(link)}">x</a>' if form == "HTML" else form.format(link)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(_NEEDED)), st.sampled_from(_FORMS), st.sampled_from(_FORMS))
def test_a_suggestion_keeps_what_the_link_needs(link, inside, outside):
    text = _in_form(link, inside)
    text = _in_form(text, outside) if outside in {"WRAP", "HTML", "\u200b{}\u200b"} and is_web_link(text) else text
    verdict = judge_link(text, needed_until=None, now=NOW)
    found = verdict.repaired or verdict.direct
    if found:
        assert is_web_link(found)
        assert found != text
        for piece in _NEEDED[link]:
            assert piece in found.replace("%27", "'"), (text, found)
        after = judge_link(found, needed_until=None, now=NOW)
        assert not after.is_bad


_WORDS = st.one_of(
    st.sampled_from([
        LINK, SIGNED, "https://", "http://", "(", ")", "[", "](", "<", ">", "|", "&amp;", "#", " ", "\n", "\t", "\u200b", "“",
        "www.example.com/a", "https://www.google.com/url?q=", "https%3A%2F%2F", "drive.google.com/file/d/abc/view", "//", "\\",
        "http://10.0.0.1/", "@", ".mp4", "?", "=", "%", "urldefense.com/v3/__", "__;", "!!", "*", "<a href=", "'", '"', "é",
    ]),
    st.text(max_size=6),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(_WORDS, max_size=8).map("".join))
def test_any_text_is_read_and_no_suggestion_is_a_trap(text):
    verdict = judge_link(text, needed_until=None, now=NOW)
    found = verdict.repaired
    if not found:
        return
    assert found != text
    assert is_web_link(found)
    assert clean(found) == found
    after = judge_link(found, needed_until=None, now=NOW)
    assert after.code not in {"private_address", "malformed"}
    assert not after.is_bad
    assert parse_link(found).href


@pytest.mark.parametrize(
    "text",
    ["<a " * 40000, "<a href=" * 9000, "[" * 40000, " " * 40000 + "x", "\n" * 40000 + "[", "(" * 40000, "https://x/" + ")" * 40000,
     "https://" * 9000, "[a](" * 9000, "<https://a|" * 4000, "a." * 20000 + "/", "https://a " * 4000, "«" * 40000, "&amp;" * 8000,
     "https://x.example/" + "https://a.b/" * 3000, "<video " * 6000, "%25" * 12000, "https://a.example/" + "~exp=1" * 5000],
)  # fmt: skip
def test_hostile_texts_are_read_quickly(text):
    started = time.process_time()
    judge_link(clean(text), needed_until=None, now=NOW)
    links_in(text)
    assert time.process_time() - started < 1


# --- Doors --------------------------------------------------------------------------------------------------


def test_the_command_cleans_and_offers(sandbox):
    def asked(text):
        out = StringIO()
        call_command("check_link", text, "--json", stdout=out)
        return json.loads(out.getvalue())

    drive = "https://drive.google.com/file/d/abc/view"
    assert asked(f"\u200b{LINK}\u200b")["suggestion"] == LINK
    assert asked(f"\u200b{LINK}\u200b")["class"] == "ok"
    assert asked(LINK)["suggestion"] is None
    assert asked(f"[x]({LINK})")["suggestion"] == LINK
    assert asked(drive) == {
        **asked(drive), "class": "ok", "verdict": "drive_view_page",
        "suggestion": "https://drive.google.com/uc?export=download&id=abc",
    }  # fmt: skip
    assert asked("https://www.dropbox.com/home/Campaign/reel.mp4")["suggestion"] is None
    assert asked(" https://we.tl/t-abc ")["suggestion"] is None


def test_only_what_leads_inside_cannot_be_insisted_on():
    assert check_links(FixKind.URL, ["https://cdn.example.com/reel #1 final.mp4"], unchecked=True) == [
        "https://cdn.example.com/reel%20#1%20final.mp4"
    ]
    for link in ("http://127.0.0.1/a.mp4", "http://0x7f.1/a.mp4", "https://nas.local/a.mp4"):
        with pytest.raises(BadLinkError) as caught:
            check_links(FixKind.URL, [link], unchecked=True)
        assert not caught.value.can_insist
    assert check_links(FixKind.URL, ["https://cdn.example.com:9000/a.mp4"]) == ["https://cdn.example.com:9000/a.mp4"]
