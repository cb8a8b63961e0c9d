"""What the addresses of well-known hosts mean, by host and path.

A host alone condemns nothing: these rules name the paths that are pages, logins and folders. Whatever carries a media
name or a signature is asked for, unless its path is known to need a login. What no rule names is asked for too.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from issues.link_checks.catalogue import Verdict
from issues.link_checks.paste import names_media
from issues.link_checks.share_links import on_dropbox, on_google, on_microsoft
from issues.link_checks.urls import WebLink

# What opens a place that else needs a log-in: Slack's public links and exports, tokens in a link of Jira's.
_OPENS = re.compile(r"(?i)(?:^|&)(?:pub_secret=|t=xox|(?:token|jwt)=eyJ)")
_SIGNATURES = re.compile(
    r"(?i)(?:^|[?&/])(?:x-[a-z]+-signature|signature|sig|policy|hmac|hdnts|hdnea|hdntl|token|bcdn_token|q-signature|"
    r"se|oh|hm|auth_key|tempauth|authkey|pub_secret|verify)=|eyJ[\w-]{10,}\.eyJ|~hmac="
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """`hosts`: names, or endings that begin with a dot, or a pattern in slashes. `path` is searched in the path."""

    code: str
    service: str
    hosts: tuple[str, ...]
    path: str = ""
    is_certain: bool = False  # also if it carries a media name or a signature

    def matches(self, link: WebLink) -> bool:
        return any(_is_on(link.host, host) for host in self.hosts) and bool(re.search(self.path, link.path))


def _is_on(host: str, name: str) -> bool:
    if name.startswith("."):
        return host.endswith(name) or host == name[1:]
    return host == name


def _page(service: str, hosts: str, path: str = "") -> _Rule:
    return _Rule("transfer_page", service, tuple(hosts.split()), path)


def _folder(service: str, hosts: str, path: str) -> _Rule:
    return _Rule("folder_link", service, tuple(hosts.split()), path, is_certain=True)


def _login(service: str, hosts: str, path: str = "", *, is_certain: bool = False) -> _Rule:
    return _Rule("login_page", service, tuple(hosts.split()), path, is_certain)


def _post(service: str, hosts: str, path: str = "") -> _Rule:
    return _Rule("social_post_page", service, tuple(hosts.split()), path)


def _document(service: str, hosts: str, path: str = "") -> _Rule:
    return _Rule("document_link", service, tuple(hosts.split()), path)


_RULES: tuple[_Rule, ...] = (
    # Stores and transfers.
    _folder("Mega", "mega.nz mega.co.nz mega.io", r"^/(?:folder/|#F!)"),
    _page("Mega", "mega.nz mega.co.nz mega.io"),
    _page("Google Photos", "photos.google.com photos.app.goo.gl"),
    _page("iCloud", "icloud.com www.icloud.com share.icloud.com"),
    _page("WeTransfer", "we.tl"),
    _page("WeTransfer", ".wetransfer.com", r"^/(?:downloads|previews|workspaces?|portals?|$)"),
    _page("Smash", "fromsmash.com www.fromsmash.com .fromsmash.com", r"^/[^/]*/?$"),
    _page("SwissTransfer", "www.swisstransfer.com swisstransfer.com", r"^/(?:\w\w/)?(?:d/|dl/|$)"),
    _page("TransferNow", "www.transfernow.net transfernow.net", r"^/(?:\w\w/)?(?:dl/|d/|$)"),
    _page("TransferXL", "transferxl.com www.transferxl.com", r"^/(?!.*download\.)"),
    _page("Filemail", "www.filemail.com filemail.com", r"^/(?:\w\w/)?(?:d|t)/"),
    _page("Hightail", "spaces.hightail.com www.hightail.com"),
    _page("Send Anywhere", "send-anywhere.com sendanywhe.re"),
    _page("MyAirBridge", "www.myairbridge.com mab.to"),
    _page("Sendspace", "www.sendspace.com sendspace.com", r"^/(?:file|filegroup)/"),
    _page("Gofile", "gofile.io", r"^/d/"),
    _page("Pixeldrain", "pixeldrain.com", r"^/[ul]/"),
    _page("MediaFire", "www.mediafire.com mediafire.com", r"^/(?:file|view|download|\?)"),
    _folder("MediaFire", "www.mediafire.com mediafire.com", r"^/folder/"),
    _page("pCloud", "u.pcloud.link e.pcloud.link u.pcloud.com e.pcloud.com my.pcloud.com", r"^/(?:publink|#|$)"),
    _page("Proton Drive", "drive.proton.me", r"^/urls/"),
    _page("Tresorit", "web.tresorit.com", r"^/l/"),
    _page("Yandex Disk", "disk.yandex.ru disk.yandex.com disk.360.yandex.ru yadi.sk", r"^/[di]/"),
    _page("TeraBox", ".terabox.com .1024terabox.com .teraboxapp.com", r"^/(?:s/|sharing|wap)"),
    _page("Baidu", "pan.baidu.com yun.baidu.com", r"^/(?:s/|share)"),
    _page("Jumpshare", "jumpshare.com jmp.sh", r"^/(?:v/|s/|\w+$)"),
    _page("Droplr", "d.pr", r"^/"),
    _page("Zight", "share.zight.com share.getcloudapp.com cl.ly", r"^/\w+$"),
    _folder("Box", ".box.com", r"^/folder/"),
    _login("Box", ".box.com", r"^/file/\d+"),
    _page("Box", ".box.com", r"^/(?:s|v)/|^/embed/"),
    # Review and production.
    _page("Frame.io", "f.io"),
    _page("Frame.io", "app.frame.io next.frame.io share.frame.io www.frame.io frame.io"),
    _page("Loom", "www.loom.com loom.com", r"^/(?:share|embed|i|v)/"),
    _page("Vimeo", "vimeo.com www.vimeo.com", r"^/(?!.*(?:download|/external/|progressive))"),
    _page("Vimeo", "player.vimeo.com", r"^/video/"),
    _page("Canva", "www.canva.com canva.com", r"^/(?:design|folder|brand|video|p|s)/|^/[\w-]+/?$"),
    _page("Canva", ".canva.site canva.link"),
    _page("CapCut", "www.capcut.com capcut.com mobile.capcut.com www.capcut.net", r"^/(?!.*\.mp4)"),
    _page("Figma", "www.figma.com figma.com", r"^/(?:file|design|proto|board|slides|community|deck|make|buzz|site)/"),
    _page("Milanote", "app.milanote.com"),
    _page("Air", "app.air.inc air.inc", r"^/(?:a|b|v|s)/"),
    _page("Miro", "miro.com", r"^/app/"),
    _page("Adobe", "xd.adobe.com", r"^/(?:view|spec)/"),
    _page("Adobe", "lightroom.adobe.com adobe.ly spark.adobe.com express.adobe.com new.express.adobe.com"),
    _page("Adobe", "assets.adobe.com acrobat.adobe.com documentcloud.adobe.com indd.adobe.com stock.adobe.com"),
    _page("Behance", "www.behance.net", r"^/gallery/"),
    _page("Descript", "share.descript.com web.descript.com"),
    _page("VEED", "www.veed.io", r"^/(?:view|edit)/"),
    _page("Kapwing", "www.kapwing.com", r"^/(?:videos|w|e|folder)/"),
    _page("Riverside", "riverside.fm riverside.com", r"^/(?:shared|dashboard|studio)/"),
    _page("Streamable", "streamable.com www.streamable.com", r"^/(?:[eos]/)?\w+/?$"),
    _page("Wistia", ".wistia.com", r"^/(?:medias|projects|channel)/"),
    _page("Wistia", "fast.wistia.net fast.wistia.com", r"^/embed/(?:iframe|channel|playlists)/"),
    _page("Vidyard", "share.vidyard.com video.vidyard.com play.vidyard.com", r"^/(?:watch/)?\w+/?$"),
    _page("Dailymotion", "www.dailymotion.com dai.ly geo.dailymotion.com", r"^/(?:video/|embed/|player|\w+$)"),
    _page("Rumble", "rumble.com", r"^/(?:v\w+|embed/)"),
    _page("Twitch", "www.twitch.tv clips.twitch.tv m.twitch.tv"),
    _page("Giphy", "giphy.com", r"^/(?:gifs|clips|stickers)/"),
    _page("Tenor", "tenor.com", r"^/(?:\w\w/)?view/"),
    _page("Imgur", "imgur.com m.imgur.com", r"^/(?:a/|gallery/|t/)?[\w-]+/?$"),
    _page("Flickr", "www.flickr.com flic.kr", r"^/(?:photos|p|gp)/"),
    _page("Brandfolder", "brandfolder.com"),
    _page("Dropmark", ".dropmark.com"),
    _page("Pics.io", ".pics.io", r"^/(?:app|search|preview)"),
    # Work and chat: mostly behind a log-in.
    _login("Slack", "files.slack.com", r"^/files-(?:pri|tmb)/", is_certain=True),
    _login("Slack", ".slack.com", r"^/files/", is_certain=True),
    _login("Slack", ".slack.com", r"^/(?:archives|client|messages|team|app_redirect)/"),
    _page("Slack", "slack-files.com"),
    _login("Trello", "trello.com api.trello.com", r"^/1/cards/[^/]+/attachments/", is_certain=True),
    _page("Trello", "trello.com", r"^/[cbwu]/"),
    _login("Asana", "app.asana.com", r"", is_certain=True),
    _login(
        "monday.com",
        ".monday.com",
        r"^/(?:boards|protected_static|docs|workspaces|overviews|dashboards)/",
        is_certain=True,
    ),
    _page("monday.com", "forms.monday.com view.monday.com wkf.ms"),
    _login("ClickUp", "app.clickup.com"),
    _page("ClickUp", "sharing.clickup.com doc.clickup.com forms.clickup.com"),
    _login("Basecamp", "3.basecamp.com launchpad.37signals.com storage.3.basecamp.com"),
    _login("Jira", ".atlassian.net", r"^/(?:browse|jira|wiki|secure|servicedesk|rest)/", is_certain=True),
    _page("Airtable", "airtable.com www.airtable.com", r"^/(?:app|shr|tbl|v0)"),
    _page("Notion", "www.notion.so notion.so .notion.site", r"^/(?!(?:image|signed|f)/)"),
    _login("Microsoft Teams", "teams.microsoft.com teams.live.com", r"^/(?:l|v2|_)"),
    _login("Gmail", "mail.google.com"),
    _login("Outlook", "outlook.live.com outlook.office.com outlook.office365.com"),
    _login("Discord", "discord.com discordapp.com ptb.discord.com canary.discord.com", r"^/channels/"),
    _page("Discord", "discord.gg"),
    _login("WhatsApp", "web.whatsapp.com"),
    _page("WhatsApp", "wa.me chat.whatsapp.com api.whatsapp.com"),
    _login("Telegram", "web.telegram.org"),
    _post("Telegram", "t.me telegram.me", r"^/(?!iv$|share/url$)"),
    _login("Zoom", ".zoom.us", r"^/(?:rec/(?:share|play)|clips/share)/"),
    _page("GitHub", "github.com www.github.com", r"^/[^/]+/[^/]+/(?:blob|tree)/"),
    # Google's documents, apart from what they export.
    _document(
        "Google Docs",
        "docs.google.com",
        r"^/(?:(?:a/[^/]+|u/\d+)/)*(?:document|spreadsheets|presentation|forms|drawings|videos)/(?!.*/export)",
    ),
    _page("Google Sites", "sites.google.com"),
    _document("Microsoft Office", ".officeapps.live.com", r"^/"),
    # Published posts. What their delivery networks serve is a file.
    _login("TikTok", "ads.tiktok.com business.tiktok.com seller.tiktok.com"),
    _post(
        "TikTok",
        "tiktok.com www.tiktok.com m.tiktok.com vm.tiktok.com vt.tiktok.com library.tiktok.com",
        r"^/(?!video/tos/|obj/)",
    ),
    _post("Douyin", "www.douyin.com v.douyin.com", r"^/(?!aweme/v1/play)"),
    _post("Instagram", "instagram.com www.instagram.com m.instagram.com instagr.am ig.me"),
    _login("YouTube", "studio.youtube.com"),
    _post(
        "YouTube",
        "youtube.com www.youtube.com m.youtube.com music.youtube.com www.youtube-nocookie.com youtu.be",
        r"^/(?!redirect)",
    ),
    _login("Meta", "business.facebook.com adsmanager.facebook.com"),
    _post(
        "Facebook",
        "facebook.com www.facebook.com m.facebook.com web.facebook.com mbasic.facebook.com fb.watch fb.com fb.me",
        r"^/(?!l\.php|flx/warn)",
    ),
    _post("Messenger", "www.messenger.com m.me"),
    _post("X", "x.com www.x.com mobile.x.com twitter.com www.twitter.com mobile.twitter.com"),
    _post("Threads", "threads.net www.threads.net threads.com www.threads.com"),
    _post("Snapchat", "snapchat.com www.snapchat.com story.snapchat.com t.snapchat.com"),
    _post(
        "LinkedIn",
        "linkedin.com www.linkedin.com m.linkedin.com",
        r"^/(?:posts|feed|video|pulse|in|company|embed|events|showcase|school)/",
    ),
    _post("Pinterest", "pin.it"),
    _post(
        "Reddit",
        "reddit.com www.reddit.com old.reddit.com m.reddit.com redd.it",
        r"^/(?:r|u|user|comments|gallery|video)/|^/\w+/?$",
    ),
    _post("Tumblr", "www.tumblr.com"),
    _post("Bluesky", "bsky.app"),
    _post("VK", "vk.com m.vk.com vkvideo.ru", r"^/(?!away\.php)"),
    _post("Weibo", "weibo.com www.weibo.com m.weibo.cn"),
    _post("Kwai", "www.kwai.com kwai-video.com"),
    _post("Likee", "likee.video l.likee.video"),
    _post("Lemon8", "www.lemon8-app.com v.lemon8-app.com"),
    _post("Xiaohongshu", "www.xiaohongshu.com xhslink.com"),
)
_PINTEREST = re.compile(r"(?:[\w-]+\.)?pinterest\.(?:com?(?:\.\w\w)?|\w\w)")


def judge_known_host(link: WebLink) -> Verdict | None:
    """What host and path say about a link; `None` if only a request can tell."""
    query = parse_qs(link.query, keep_blank_values=True)
    for special in (on_google, on_dropbox, on_microsoft):
        if found := special(link, query):
            return found
    is_file = names_media(link.path) or bool(_SIGNATURES.search(f"{link.path}?{link.query}"))
    is_open = bool(_OPENS.search(link.query))
    for rule in _RULES:
        if (not is_file or (rule.is_certain and not (is_open and rule.code == "login_page"))) and rule.matches(link):
            return Verdict(rule.code, fact=rule.service)
    if _PINTEREST.fullmatch(link.host) and not is_file:
        return Verdict("social_post_page", fact="Pinterest")
    return None
