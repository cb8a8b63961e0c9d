"""Known hosts, judged by host and path; and when temporary links end."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issues.link_checks.expiry import link_end
from issues.link_checks.url_rules import judge_link

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

VERDICTS = {
    # What opens a place that else needs a log-in.
    "https://files.slack.com/files-pri/T1-F1/reel.mp4?pub_secret=0a1b2c3d4e": "not_checked",
    "https://files.slack.com/files-pri/T1-F1/download/reel.mp4?t=xoxe-1-abc": "not_checked",
    "https://acme.atlassian.net/rest/api/3/attachment/content/1?token=eyJhbGciOiJIUzI1NiJ9": "not_checked",
    "https://files.slack.com/files-pri/T1-F1/reel.mp4": "login_page",
    "https://t.me/iv?url=https%3A%2F%2Fa.example%2Fa": "not_checked",
    # Google Drive and Docs
    "https://drive.google.com/file/d/1a-B_c/view?usp=sharing": "drive_view_page",
    "https://drive.google.com/file/d/1a-B_c/preview": "drive_view_page",
    "https://drive.google.com/file/d/1a-B_c/edit?resourcekey=0-x": "drive_view_page",
    "https://drive.google.com/file/u/0/d/1a-B_c/view": "drive_view_page",
    "https://drive.google.com/u/1/file/d/1a-B_c/view": "drive_view_page",
    "https://drive.google.com/a/acme.example/file/d/1a-B_c/view": "drive_view_page",
    "https://drive.google.com/open?usp=drive_copy&id=1a-B_c": "drive_view_page",
    "https://drive.google.com/uc?id=1a-B_c": "drive_view_page",
    "https://drive.usercontent.google.com/download?id=1a-B_c": "drive_view_page",
    "https://docs.google.com/file/d/1a-B_c/edit": "drive_view_page",
    "https://drive.google.com/uc?export=download&id=1a-B_c": "not_checked",
    "https://drive.google.com/u/0/uc?id=1a-B_c&export=download": "not_checked",
    "https://drive.usercontent.google.com/download?id=1a-B_c&export=download&confirm=t": "not_checked",
    "https://drive.google.com/drive/u/2/folders/1abc": "folder_link",
    "https://drive.google.com/folderview?id=1abc": "folder_link",
    "https://drive.google.com/drive/my-drive": "folder_link",
    "https://docs.google.com/document/d/abc/edit": "document_link",
    "https://docs.google.com/a/acme.example/presentation/d/abc/edit": "document_link",
    "https://docs.google.com/presentation/d/abc/export/png": "not_checked",
    # Dropbox
    "https://www.dropbox.com/s/abc/reel.mp4": "dropbox_preview",
    "https://www.dropbox.com/scl/fi/abc/reel.mp4?rlkey=x&dl=0": "dropbox_preview",
    "https://www.dropbox.com/sh/abc/def/reel.mp4?dl=0": "dropbox_preview",
    "https://www.dropbox.com/scl/fi/abc/reel.mp4?rlkey=x&raw=1": "not_checked",
    "https://www.dropbox.com/s/dl/abc/reel.mp4": "not_checked",
    "https://dl.dropboxusercontent.com/scl/fi/abc/reel.mp4?rlkey=x": "not_checked",
    "https://www.dropbox.com/scl/fi/abc/reel.mp4?dl=0": "dropbox_incomplete",
    "https://www.dropbox.com/scl/fo/abc/h?rlkey=x": "folder_link",
    "https://www.dropbox.com/home/Campaign/reel.mp4": "login_page",
    "https://www.dropbox.com/preview/Campaign/reel.mp4?role=personal": "login_page",
    "https://www.dropbox.com/request/AbCd": "transfer_page",
    "https://www.dropbox.com/t/AbCd": "transfer_page",
    "https://www.dropbox.com/replay/AbCd": "transfer_page",
    # Microsoft
    "https://onedrive.live.com/download?cid=02&resid=25%211396&authkey=AJx": "not_checked",
    "https://onedrive.live.com/?authkey=x&id=y": "onedrive_page",
    "https://1drv.ms/v/s!abc": "onedrive_page",
    "https://1drv.ms/f/c/025/Efoo?e=abc": "folder_link",
    "https://acme-my.sharepoint.com/:v:/g/personal/x/EoW?e=abc&download=1": "not_checked",
    "https://acme-my.sharepoint.com/:v:/g/personal/x/EoW?e=abc": "sharepoint_login",
    "https://acme.sharepoint.com/:f:/s/x": "folder_link",
    "https://acme.sharepoint.com/sites/x/_layouts/15/download.aspx?UniqueId=a": "not_checked",
    # Files of hosts that have pages too
    "https://app.box.com/shared/static/abcd.mp4": "not_checked",
    "https://acme.app.box.com/s/abcd": "transfer_page",
    "https://app.box.com/file/123": "login_page",
    "https://app.box.com/folder/123": "folder_link",
    "https://public.boxcloud.com/d/1/b1!abc/download": "not_checked",
    "https://export-download.canva.com/A/B/0/0/1.mp4?X-Amz-Signature=x": "not_checked",
    "https://www.canva.com/design/DAF/abc/watch": "transfer_page",
    "https://www.loom.com/share/abc": "transfer_page",
    "https://cdn.loom.com/sessions/raw/abc.mp4?Policy=x&Signature=y": "not_checked",
    "https://vimeo.com/123456": "transfer_page",
    "https://player.vimeo.com/video/123456": "transfer_page",
    "https://player.vimeo.com/progressive_redirect/playback/1/rendition/720p/file.mp4?loc=external&signature=x": "not_checked",
    "https://player.vimeo.com/external/1.hd.mp4?s=abc": "not_checked",
    "https://we.tl/t-abc": "transfer_page",
    "https://acme.wetransfer.com/downloads/abc/def": "transfer_page",
    "https://download.wetransfer.com/eugv/abc/reel.mp4?token=x": "not_checked",
    "https://app.frame.io/reviews/abc": "transfer_page",
    "https://f.io/abc": "transfer_page",
    "https://assets.frame.io/uploads/reel.mp4?Signature=x": "not_checked",
    "https://www.icloud.com/iclouddrive/abc#reel": "transfer_page",
    "https://cvws.icloud-content.com/B/abc/reel.mp4?o=x": "not_checked",
    "https://www.notion.so/acme/Reel-abc": "transfer_page",
    "https://file.notion.so/f/s/abc/reel.mp4?signature=x": "not_checked",
    "https://mega.nz/file/abc#key": "transfer_page",
    "https://mega.nz/folder/abc#key": "folder_link",
    "https://photos.app.goo.gl/abc": "transfer_page",
    "https://photos.google.com/share/abc": "transfer_page",
    "https://lh3.googleusercontent.com/abc=dv": "not_checked",
    "https://files.slack.com/files-pri/T1-F1/download/reel.mp4": "login_page",
    "https://acme.slack.com/files/U1/F1/reel.mp4": "login_page",
    "https://acme.slack.com/archives/C1/p1": "login_page",
    "https://trello.com/c/abc/1-reel": "transfer_page",
    "https://trello.com/1/cards/abc/attachments/def/download/reel.mp4": "login_page",
    "https://trello-attachments.s3.amazonaws.com/a/b/reel.mp4": "not_checked",
    "https://app.asana.com/0/1/2": "login_page",
    "https://acme.monday.com/boards/1": "login_page",
    "https://acme.monday.com/protected_static/1/resources/2/reel.mp4": "login_page",
    "https://www.capcut.com/share/123": "transfer_page",
    "https://v16-cc.capcut.com/abc/video/tos/reel.mp4": "not_checked",
    "https://www.figma.com/design/abc/x": "transfer_page",
    "https://streamable.com/abc123": "transfer_page",
    "https://cdn-cf-east.streamable.com/video/mp4/abc.mp4?Expires=1900000000": "not_checked",
    "https://acme.wistia.com/medias/abc": "transfer_page",
    "https://embed-ssl.wistia.com/deliveries/abc.bin": "not_checked",
    "https://v5.airtableusercontent.com/v3/u/28/28/1900000000000/abc/def/ghi": "not_checked",
    # Posts, and the files of their delivery networks
    "https://www.tiktok.com/@x/video/1": "social_post_page",
    "https://vm.tiktok.com/ZMabc/": "social_post_page",
    "https://v16-webapp.tiktok.com/abc/video/tos/x/?mime_type=video_mp4": "not_checked",
    "https://www.instagram.com/reel/abc/": "social_post_page",
    "https://scontent.cdninstagram.com/v/t50/a.mp4?oh=x": "not_checked",
    "https://m.youtube.com/shorts/abc": "social_post_page",
    "https://youtu.be/abc": "social_post_page",
    "https://rr3---sn-x.googlevideo.com/videoplayback?expire=1900000000": "not_checked",
    "https://www.facebook.com/watch/?v=1": "social_post_page",
    "https://video.xx.fbcdn.net/v/t42/a.mp4?oh=x": "not_checked",
    "https://x.com/a/status/1": "social_post_page",
    "https://video.twimg.com/ext_tw_video/1/pu/vid/a.mp4": "not_checked",
    "https://www.threads.net/@a/post/1": "social_post_page",
    "https://www.snapchat.com/spotlight/abc": "social_post_page",
    "https://www.linkedin.com/feed/update/urn:li:activity:1": "social_post_page",
    "https://dms.licdn.com/playlist/vid/a/b?e=1900000000&v=beta&t=x": "not_checked",
    "https://www.pinterest.com/pin/1/": "social_post_page",
    "https://pinterest.co.uk/pin/1/": "social_post_page",
    "https://de.pinterest.com/pin/1/": "social_post_page",
    "https://v1.pinimg.com/videos/mc/720p/a.mp4": "not_checked",
    # Names that only look like known ones
    "https://netflix.com/a.mp4": "not_checked",
    "https://mybox.com/s/abc": "not_checked",
    "https://drive.google.com.evil.example/file/d/abc/view": "not_checked",
    "https://notdropbox.com/s/abc/reel.mp4": "not_checked",
}


@pytest.mark.parametrize(("url", "code"), VERDICTS.items())
def test_host_and_path_decide(url, code):
    verdict = judge_link(url, needed_until=None, now=NOW)
    assert verdict.code == code
    assert verdict.sentence
    assert verdict.advice


@pytest.mark.parametrize(
    ("url", "direct"),
    [
        ("https://drive.google.com/file/d/0ByW/view?usp=drivesdk&resourcekey=0-Ye_4", "https://drive.google.com/uc?export=download&id=0ByW&resourcekey=0-Ye_4"),
        ("https://drive.google.com/open?resourcekey=0-Y&id=0ByW", "https://drive.google.com/uc?export=download&id=0ByW&resourcekey=0-Y"),
        ("https://www.dropbox.com/s/abc/reel.mp4", "https://www.dropbox.com/s/abc/reel.mp4?dl=1"),
        ("https://www.dropbox.com/scl/fi/abc/my%20reel.mp4?rlkey=a%2Bb&e=1&st=x&dl=0", "https://www.dropbox.com/scl/fi/abc/my%20reel.mp4?rlkey=a%2Bb&e=1&st=x&dl=1"),
    ],
)  # fmt: skip
def test_share_links_are_opened_in_their_direct_form_and_condemned_by_nothing(url, direct):
    verdict = judge_link(url, needed_until=NOW + timedelta(days=3), now=NOW)
    assert (verdict.direct, verdict.repaired, verdict.cls) == (direct, "", "unsure")
    assert verdict.needs_request
    assert judge_link(direct, needed_until=None, now=NOW).code == "not_checked"


@pytest.mark.parametrize(
    ("url", "repaired"),
    [
        ("https://acme-my.sharepoint.com/:v:/g/personal/x/EoW?e=abc", "https://acme-my.sharepoint.com/:v:/g/personal/x/EoW?e=abc&download=1"),
        ("https://acme.sharepoint.com/:v:/s/x/EoW?e=abc&web=1", "https://acme.sharepoint.com/:v:/s/x/EoW?e=abc&download=1"),
        ("https://onedrive.live.com/embed?cid=1&resid=2&authkey=A", "https://onedrive.live.com/download?cid=1&resid=2&authkey=A"),
        ("https://www.dropbox.com/home/Campaign/reel.mp4", ""),
        ("https://www.dropbox.com/request/AbCd", ""),
        ("https://1drv.ms/v/s!abc", ""),
    ],
)  # fmt: skip
def test_download_forms_are_offered_if_there_are_any(url, repaired):
    assert judge_link(url, needed_until=None, now=NOW).repaired == repaired


# --- Ends -----------------------------------------------------------------------------------------------------

PAST = 1735689600  # 2025-01-01T00:00:00Z
MOMENT = datetime(2025, 1, 1, tzinfo=UTC)


def packed(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JWT = f"{packed({'alg': 'HS256'})}.{packed({'url': 'a/b.mp4', 'iat': PAST - 60, 'exp': PAST})}.c2ln"
POLICY = base64.b64encode(
    json.dumps({"Statement": [{"Resource": "*", "Condition": {"DateLessThan": {"AWS:EpochTime": PAST}}}]}).encode()
).decode()
ENDS = [
    "https://b.s3.amazonaws.com/a.mp4?X-Amz-Date=20241231T230000Z&X-Amz-Expires=3600&X-Amz-Signature=x",
    "https://b.s3.amazonaws.com/a.mp4?x-amz-date=20241231T230000Z&x-amz-expires=3600&x-amz-signature=x",
    "https://storage.googleapis.com/a?X-Goog-Date=20241231T230000Z&X-Goog-Expires=3600&X-Goog-Signature=x",
    "https://b.oss-eu-central-1.aliyuncs.com/a?x-oss-date=20241231T230000Z&x-oss-expires=3600&x-oss-signature=x",
    f"https://b.oss-cn-hangzhou.aliyuncs.com/a.mp4?Expires={PAST}&OSSAccessKeyId=k&Signature=x",
    "https://b.tos-cn.volces.com/a?X-Tos-Date=20241231T230000Z&X-Tos-Expires=3600&X-Tos-Signature=x",
    f"https://d.cloudfront.net/a.mp4?Expires={PAST}&Signature=x&Key-Pair-Id=K",
    f"https://d.cloudfront.net/a.mp4?Policy={POLICY.translate(str.maketrans('+=/', '-_~'))}&Signature=x&Key-Pair-Id=K",
    "https://x.blob.core.windows.net/a?sv=1&se=2025-01-01T00%3A00%3A00Z&sig=x",
    "https://x.blob.core.windows.net/a?se=2025-01-01&sig=x",
    f"https://cdn.discordapp.com/attachments/1/2/a.mp4?ex={PAST:x}&is=1&hm=x",
    f"https://scontent.cdninstagram.com/a.mp4?oh=x&oe={PAST:X}",
    f"https://p16.tiktokcdn.com/a.jpg?x-expires={PAST}&x-signature=y",
    f"https://r.googlevideo.com/videoplayback?expire={PAST}&ei=x",
    f"https://r.googlevideo.com/videoplayback/expire/{PAST}/ei/x",
    f"https://late.example.com/a.mp4?expires={PAST}000&sig=x",
    f"https://file.notion.so/f/a.mp4?expirationTimestamp={PAST}000&signature=x",
    f"https://x.supabase.co/storage/v1/object/sign/media/a.mp4?token={JWT}",
    f"https://stream.mux.com/abc/high.mp4?token={JWT}",
    f"https://customer-x.cloudflarestream.com/{JWT}/downloads/default.mp4",
    f"https://acme.sharepoint.com/_layouts/15/download.aspx?UniqueId=a&tempauth=v1.{JWT}",
    f"https://v5.airtableusercontent.com/v3/u/28/28/{PAST}000/abc/def/ghi",
    f"https://b.cos.ap-guangzhou.myqcloud.com/a?q-sign-algorithm=sha1&q-sign-time={PAST - 60};{PAST}&q-signature=x",
    f"https://b.cos.ap-guangzhou.myqcloud.com/a?q-sign-time={PAST - 60}%3B{PAST}&q-signature=x",
    f"https://a.akamaized.net/a.mp4?hdnts=exp={PAST}~acl=/*~hmac=abc",
    f"https://a.akamaized.net/a.mp4?hdnea=st=1~exp%3D{PAST}~acl%3D%2F*~hmac%3Dabc",
    f"https://vod.akamaized.net/exp={PAST}~acl=%2F12%2F%2A~hmac=abc/vimeo/12/a.mp4",
    f"https://ik.imagekit.io/a/b.mp4?ik-t={PAST}&ik-s=abc",
    f"https://v.b-cdn.net/a.mp4?token=abc&expires={PAST}",
    f"https://v.b-cdn.net/bcdn_token=abc&expires={PAST}&token_path=%2Fa/a.mp4",
    f"https://res.cloudinary.com/x/video/upload/a.mp4?__cld_token__=exp={PAST}~hmac=abc",
    f"https://cdn.example.com/a.mp4?token={PAST}_0123456789abcdef0123456789abcdef01234567",
    f"https://dms.licdn.com/a?e={PAST}&v=beta&t=x",
    "https://cdn.example.com/a.mp4?expires=2025-01-01T01%3A00%3A00%2B01%3A00",
    "https://cdn.example.com/a.mp4?expires=20250101T000000Z",
    "https://cdn.example.com/a.mp4?Expires=Wed%2C%2001%20Jan%202025%2000%3A00%3A00%20GMT",
    f"https://cdn.example.com/a.mp4?expires=4000000000&token={JWT}",  # the earlier of two
    f"https://swift.example.com/v1/AUTH_a/b/a.mp4?temp_url_sig=abc&temp_url_expires={PAST}",
    "https://swift.example.com/v1/AUTH_a/b/a.mp4?temp_url_sig=abc&temp_url_expires=2025-01-01T00:00:00Z",
    f"https://cdn.example.com/a.mp4?link-expiry-ts={PAST}",
    f"https://cdn.example.com/a.mp4?signatureExpiration={PAST}000",
    f"https://cdn.example.com/a.mp4?expires={PAST}000000",
    f"https://cdn.example.com/a.mp4?expires={PAST}000000000",
    f"https://1234.rsc.cdn77.org/2ekr0vD1-zzzzABCDEfghi,{PAST}/a.mp4",
]


@pytest.mark.parametrize("url", ENDS)
def test_an_end_is_read_in_every_form(url):
    assert link_end(url) == MOMENT
    assert judge_link(url, needed_until=None, now=NOW).code == "signature_expired"
    assert judge_link(url, needed_until=None, now=datetime(2024, 12, 1, tzinfo=UTC)).code != "signature_expired"


@pytest.mark.parametrize(
    "url",
    [
        "https://b.s3.amazonaws.com/a.mp4?response-expires=Thu%2C%2001%20Dec%201994%2016%3A00%3A00%20GMT",
        "https://cdn.example.com/a.mp4?expires_in=86400", "https://cdn.example.com/a,1735689600/a.mp4",
        "https://cdn.example.com/a.mp4?expires=3600", "https://cdn.example.com/a.mp4?expires=0", "https://cdn.example.com/a?exp=1",
        "https://cdn.example.com/a.mp4?expires=never", "https://cdn.example.com/a.mp4?Expires=99999999999999999999",
        "https://cdn.example.com/a.mp4?X-Amz-Date=broken&X-Amz-Expires=9", "https://cdn.example.com/a.mp4?X-Amz-Expires=3600",
        "https://cdn.example.com/a.mp4?X-Amz-Date=20241231T230000Z&X-Amz-Expires=999999999999999", "https://cdn.example.com/?se=2025-01-01",
        "https://cdn.example.com/a.mp4?ex=65f0aa00", "https://cdn.example.com/a.mp4?oe=zz", "https://cdn.example.com/a.mp4?v=1735689600",
        "https://cdn.example.com/a.mp4?t=1735689600&sig=x", "https://cdn.example.com/a.mp4?e=1735689600",
        "https://cdn.example.com/uploads/1735689600/a.mp4", "https://cdn.example.com/v3/u/28/28/1735689600000/a.mp4",
        "https://cdn.example.com/a.mp4?token=eyJhbGciOiJIUzI1NiJ9.eyJ1cmwiOiJhIn0.x", "https://cdn.example.com/a.mp4?Policy=!!!",
        "https://cdn.example.com/a.mp4?Policy=W10_", "https://cdn.example.com/a.mp4?expires=４２", "https://[broken", "reel",
        "https://cdn.example.com/a.mp4?expires=1e9", "https://cdn.example.com/a.mp4?token=eyJhIn0.eyJhIjpbXX0.x",
    ],
)  # fmt: skip
def test_what_is_no_plausible_date_is_none(url):
    assert link_end(url) is None


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(
    st.sampled_from(["expires=", "&", "X-Amz-Date=", "X-Amz-Expires=", "token=eyJ", ".eyJ", "Policy=", "se=", "sig=x", "oe=", "exp=",
                     "~hmac=", "q-sign-time=", ";", "1735689600", "ffffffff", "2025-13-45", "9" * 30, "²", "-1", "%", "%3D", "/"]),
    st.text(max_size=5),
), max_size=10).map("".join))  # fmt: skip
def test_no_link_breaks_the_reader_of_ends(text):
    end = link_end(f"https://cdn.example.com/a?{text}")
    assert end is None or 2000 <= end.year < 2100
