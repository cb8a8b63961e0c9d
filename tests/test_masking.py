"""A link's secrets never survive its masking, and what people recognise it by does."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issues.link_checks.masking import mask_log, mask_secrets, mask_values, shown_beside, shown_url

# Tokens as hosts make them: letters and digits that no word of the templates contains.
LETTERS = string.ascii_letters + string.digits
TOKENS = st.text(LETTERS, min_size=16, max_size=60).filter(
    lambda text: any(ch.isdigit() for ch in text[:9]) and any(ch.isalpha() for ch in text[:9])
)
# Where a token alone, or with its signature, opens a file. Each host stands for its scheme.
TOKEN_PLACES = (
    "https://api.telegram.org/file/bot123456789:{token}/videos/f.mp4",
    "https://api.telegram.org/file/bot123456789%3A{token}/videos/f.mp4",
    "https://bot-api.example.com/bot123456789:{token}/getFile",
    "https://a.example/clips;jsessionid={token}.node1/reel.mp4",
    "https://a.example/clips/reel.mp4;sig={token}",
    "https://vz-1.b-cdn.net/bcdn_token={token}&expires=1735689600&token_path=%2Fv%2F/v/play.m3u8",
    "https://a.example/exp=1735689600~acl=/*~hmac={token}/reel.mp4",
    "https://a.example/hdnts=exp=1735689600~hmac={token}/reel.mp4",
    "https://a.example/key={token}/reel.mp4",
    "https://a.example/token/{token}/reel.mp4",
    "https://a.example/access_token/{token}/reel.mp4",
    "https://r1.googlevideo.com/videoplayback/expire/1735689600/sig/{token}/file.mp4",
    "https://a.example/presigned/{token}/reel.mp4",
    "https://a.example/api/auth/{token}/reel.mp4",
    "https://res.cloudinary.com/acme/image/upload/s--{token}--/w_100/x.jpg",
    "https://res.cloudinary.com/acme/image/fetch/https://user:{token}@acme.example.com/x.jpg",
    "https://res.cloudinary.com/acme/image/fetch/https%3A%2F%2Facme.example.com%2Fx.jpg%3Fsig%3D{token}",
    "https://v5.airtableusercontent.com/v3/u/28/28/1735689600000/{token}/def/ghi",
    "https://a.example/jwt/eyJhbGciOiJIUzI1NiJ9.{token}.c2ln/reel.mp4",
    "https://a.example/files/eyJhbGciOiJIUzI1NiJ9.{token}.c2ln/reel.mp4",
    "https://user:{token}@a.example/reel.mp4",
    "https://slack-files.com/T024BE7LD-F024BE7LH-{token}",
    "https://hooks.slack.com/services/T000/B000/{token}",
    "https://discord.com/api/webhooks/12345/{token}",
    "https://a.example/o/videos%2Fbot123456789%3A{token}%2Ff.mp4",
    "https://a.example/reel.mp4?X-Amz-Signature={token}",
    "https://a.example/reel.mp4#{token}",
    "https://a.example/(S({token}))/reel.mp4",
    "https://a.example/apikey:{token}9a8/reel.mp4",
    "https://a.example/clips/token-{token}9a8/reel.mp4",
    "ann:{token}@a.example/reel.mp4",
    "api.telegram.org/file/bot123456789:{token}/videos/f.mp4",
    "https://[broken/bot123456789:{token}/f.mp4",
)  # fmt: skip
# Where the id itself is what opens the file to anyone who has the link.
SHARES = (
    "https://drive.google.com/file/d/{token}/view?usp=sharing",
    "https://drive.google.com/drive/u/2/folders/{token}",
    "https://docs.google.com/presentation/d/{token}/edit",
    "https://photos.google.com/share/{token}",
    "https://www.dropbox.com/s/{token}/reel.mp4?dl=0",
    "https://www.dropbox.com/scl/fo/abc/{token}?rlkey=x",
    "https://1drv.ms/v/s!{token}",
    "https://acme-my.sharepoint.com/:v:/g/personal/team_acme/{token}?e=abc",
    "https://app.box.com/s/{token}",
    "https://app.box.com/shared/static/{token}.mp4",
    "https://we.tl/t-{token}",
    "https://f.io/{token}",
    "https://vimeo.com/12345/0a1b2c3d4e",
    "https://cloud.example.org/index.php/s/{token}/download",
    "https://cloud.example.org/public.php/dav/public-files/{token}/reel.mp4",
    "https://seafile.example.org/f/{token}/?dl=1",
    "https://graph.microsoft.com/v1.0/shares/u!{token}/driveItem/content",
)
KEPT = (
    "https://cdn.example.com/token-launch-2026/reel.mp4",
    "https://cdn.example.com/key-visual-2026/session-2-cut-3.mp4",
    "https://agency.s3.amazonaws.com/Nordic+Kids'+Table+Set.mp4",
    "https://cdn.example.com/campaigns/2026/NordicKids-Table_Set/final_v3.mp4",
    "https://cdn.example.com/cdn-cgi/image/width=80,quality=75/x.jpg",
    "https://pub-0a1b2c3d4e5f60718293a4b5c6d7e8f9.r2.dev/videos/6a1b2c3d-0000-4000-8000-123456789abc/clip.mp4",
    "https://x.supabase.co/storage/v1/object/public/carousel-images/org_xxx/bundle-id/photo-123456.jpg",
    "carousel-images/org_xxx/bundle-id/photo-123456.jpg",
    "https://res.cloudinary.com/acme/image/fetch/f_jpg,w_1080/https://acme.example.com/images/summer.jpg",
    "https://www.dropbox.com/scl/fi/abc123/reel.mp4",
    "https://files.example.com/sk_reel_final_version_two.mp4",
    "https://files.example.com/s/summer/d/day1/t/take2.mp4",
    "https://files.example.com/2026/11/26/1735689600/summer_collection_take.mp4",
    "https://cdn.example.com/my%20reel%20final.mp4",
    "https://cdn.example.com/key/visual.mp4",
    "Line 3",
)  # fmt: skip


@pytest.mark.parametrize("place", TOKEN_PLACES + SHARES)
@settings(max_examples=20)
@given(token=TOKENS)
def test_a_token_in_a_known_place_is_never_shown(place, token):
    url = place.format(token=token)

    shown = shown_url(url)

    assert token not in shown
    assert token[5:] not in shown
    assert shown_url(shown) == shown
    assert token not in mask_log(f"ConnectionError: no answer from '{url}' (asked twice)")


@pytest.mark.parametrize("place", TOKEN_PLACES[:-2])
@settings(max_examples=20)
@given(token=TOKENS)
def test_a_token_in_a_sentence_is_never_shown(place, token):
    if place.endswith("#{token}"):
        return
    text = mask_secrets(f"This one fails: {place.format(token=token)}. Please use another!")

    assert token not in text
    assert text.startswith("This one fails: ")
    assert text.endswith("Please use another!")
    assert mask_secrets(text) == text


@given(st.text(max_size=300))
def test_any_text_can_be_masked(text):
    for mask in (shown_url, mask_secrets, mask_log):
        assert isinstance(mask(text), str)
    assert len(shown_url(text)) <= 203


def test_a_link_in_the_query_of_a_link_is_masked_too():
    inner = "https%3A%2F%2Fcdn.example.com%2Ftoken%2F0a1b2c3d4e%2Freel.mp4%3Fsig%3Dab12cd34"
    text = mask_secrets(f"See https://gate.example.com/redirect?a=1&url={inner}&b=2 please")
    assert (
        text
        == "See https://gate.example.com/redirect?a=1&url=https://cdn.example.com/token/…/reel.mp4?sig=…&b=2 please"
    )
    assert mask_secrets(text) == text
    harmless = "See https://gate.example.com/redirect?url=https%3A%2F%2Fcdn.example.com%2Freel.mp4"
    assert mask_secrets(harmless) == harmless


@pytest.mark.parametrize("url", KEPT)
def test_people_recognise_their_links(url):
    assert shown_url(url) == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.telegram.org/file/bot123:AAx/videos/f.mp4", "https://api.telegram.org/file/bot…/videos/f.mp4"),
        ("https://a.example/x;jsessionid=abc/f.mp4", "https://a.example/x;jsessionid=…/f.mp4"),
        ("https://b.b-cdn.net/bcdn_token=abc&expires=1/f.m3u8", "https://b.b-cdn.net/bcdn_token=…/f.m3u8"),
        ("https://drive.google.com/file/d/1PQ10390EXAMPLEYAQ2gx/view", "https://drive.google.com/file/d/1PQ1…/view"),
        ("https://v16.tiktokcdn.com/0a1b2c3d4e5f60718293a4b5c6d7e8f9/65d98d0a/x.mp4",
         "https://v16.tiktokcdn.com/…/65d98d0a/x.mp4"),
        ("https://c.example/aGVsbG93b3JsZGhlbGxv,1735689600/x.mp4", "https://c.example/…/x.mp4"),
    ],
)  # fmt: skip
def test_what_stays_of_a_link(url, shown):
    assert shown_url(url) == shown


def test_links_in_what_people_write_stay_usable():
    text = (
        "See https://www.youtube.com/watch?v=abc&t=1 or (https://drive.google.com/file/d/1PQ10390EXAMPLEYAQ2gx/view)."
    )

    assert mask_secrets(text) == text
    assert (
        mask_secrets("https://x.example/y?token=abc&amp;sig=1&name=2") == "https://x.example/y?token=…&amp;sig=…&name=2"
    )


def test_masking_goes_through_whole_values():
    value = {"text": ["https://a.example/token/abc/x.mp4", 3, None, True], "other": "plain"}

    assert mask_values(value) == {"text": ["https://a.example/token/…/x.mp4", 3, None, True], "other": "plain"}


def test_a_path_without_its_host_is_masked_in_logs():
    line = "Max retries exceeded with url: /file/bot123456789:AAExampleSecret/f.mp4?sig=geheim (Caused by X)"

    assert mask_log(line) == "Max retries exceeded with url: /file/bot…/f.mp4?… (Caused by X)"


def test_two_links_that_look_the_same_are_shown_with_what_differs():
    preview = "https://www.dropbox.com/scl/fi/k2n8x/cut.mp4?rlkey=x8s7d6f5&dl=0"
    direct = "https://www.dropbox.com/scl/fi/k2n8x/cut.mp4?rlkey=x8s7d6f5&dl=1"

    assert shown_beside(preview, direct) == "https://www.dropbox.com/scl/fi/k2n8x/cut.mp4?dl=0&…"
    assert shown_beside(direct, preview) == "https://www.dropbox.com/scl/fi/k2n8x/cut.mp4?dl=1&…"
    assert shown_beside(preview, "https://cdn.example.com/cut.mp4") == shown_url(preview)


@given(TOKENS)
def test_what_differs_is_masked_if_it_is_a_secret(token):
    first, second = f"https://a.example/reel.mp4?token={token}&v=1", "https://a.example/reel.mp4?token=other&v=1"

    assert shown_beside(first, second) == "https://a.example/reel.mp4?token=…&…"
