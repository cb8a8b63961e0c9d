"""Share links of Google Drive, Dropbox, OneDrive and SharePoint: which are files, and what their direct form is.

TokPortal converts share links of Drive and Dropbox by itself, so these are not broken by their address: `direct` is
what is opened in their place. Microsoft's are not converted; their download form is offered.
"""

import re

from issues.link_checks.catalogue import Verdict
from issues.link_checks.urls import WebLink

Query = dict[str, list[str]]

_DRIVE_HOSTS = frozenset({"drive.google.com", "docs.google.com", "drive.usercontent.google.com"})
_ACCOUNT = r"^(?:/(?:a/[^/]+|u/\d+|b/\d+|corp|fake))*"  # /u/1/, /a/example.com/: which account was signed in


def _first(query: Query, name: str) -> str:
    return query.get(name, [""])[0]


def on_google(link: WebLink, query: Query) -> Verdict | None:
    """Google Drive. The direct form keeps the `resourcekey`, without which older files are closed."""
    if link.host not in _DRIVE_HOSTS:
        return None
    path = re.sub(_ACCOUNT, "", link.path)
    if link.host == "drive.google.com" and (
        re.match(r"^/drive(?:/|$)|^/folderview|^/embeddedfolderview|^/folders/|^/$", path) or "/folders/" in path
    ):
        return Verdict("folder_link", fact="Google Drive")
    found = re.match(r"^/file(?:/u/\d+)?/d/([\w-]+)", path)
    file_id = found[1] if found else ""
    if not file_id and re.match(r"^/(?:open|uc|download|leaf|viewer|viewerng/viewer|videopreview)$", path):
        file_id = _first(query, "id") or _first(query, "srcid")
        if re.match(r"^/(?:uc|download)$", path) and (query.keys() & {"export", "confirm"} or not file_id):
            return None
    if not re.fullmatch(r"[\w-]+", file_id):
        return None
    key = _first(query, "resourcekey")
    kept = f"&resourcekey={key}" if re.fullmatch(r"[\w-]+", key) else ""
    return Verdict("drive_view_page", direct=f"https://drive.google.com/uc?export=download&id={file_id}{kept}")


_DROPBOX_PAGES = (
    (r"^/(?:home|personal|work|preview|recents|starred|photos|deleted_files|share)(?:/|$)", "login_page", "Dropbox"),
    (r"^/request/", "transfer_page", "Dropbox File Requests"),
    (r"^/(?:t|transfer|l/scl)/", "transfer_page", "Dropbox Transfer"),
    (r"^/replay/", "transfer_page", "Dropbox Replay"),
    (r"^/(?:paper|scl/(?:ofc|mi))/|^/doc/", "document_link", "Dropbox Paper"),
    (r"^/(?:capture|login|register|requests|sign|sc|collections|scl/(?:im|col))(?:/|$)", "transfer_page", "Dropbox"),
)  # fmt: skip


def on_dropbox(link: WebLink, query: Query) -> Verdict | None:
    """Dropbox. The direct form keeps all that the link has (`rlkey`, `st`), with `dl=1`."""
    if link.host not in {"dropbox.com", "www.dropbox.com", "m.dropbox.com"}:
        return None
    path = link.path
    for pattern, code, service in _DROPBOX_PAGES:
        if re.search(pattern, path):
            return Verdict(code, fact=service)
    in_folder = re.match(r"^/(?:scl/fo|sh)/[^/]+/[^/]+/[^/]+\.\w{2,5}$", path)
    if re.match(r"^/(?:scl/fo|sh)/", path) and not in_folder:
        return Verdict("folder_link", fact="Dropbox")
    if not re.match(r"^/(?:s|scl/fi|scl/fo|sh)/", path):
        return None
    if path.startswith("/scl/") and "rlkey" not in query and "amp;rlkey" not in query:
        return Verdict("dropbox_incomplete")
    if re.match(r"^/s/(?:dl|raw)/", path) or _first(query, "dl") == "1" or _first(query, "raw") == "1":
        return None
    return Verdict("dropbox_preview", direct=_with_parameter(link, "dl", "1", without=("dl", "raw")))


def _with_parameter(link: WebLink, name: str, value: str, *, without: tuple[str, ...] = ()) -> str:
    """The link with this parameter at the end of its query; what else stands there is left as it is."""
    kept = [piece for piece in link.query.split("&") if piece and piece.partition("=")[0] not in {name, *without}]
    return f"{link.scheme}://{link.origin}{link.path}?{'&'.join([*kept, f'{name}={value}'])}"


def on_microsoft(link: WebLink, query: Query) -> Verdict | None:
    """OneDrive and SharePoint: `download=1` gives the file of most share links, if it is open to anyone."""
    if link.host in {"1drv.ms", "onedrive.live.com"}:
        return _onedrive(link, query)
    if not link.host.endswith((".sharepoint.com", ".sharepoint.us", ".sharepoint.cn", ".microsoftpersonalcontent.com")):
        return None
    if re.match(r"^/:f:/", link.path):
        return Verdict("folder_link", fact="SharePoint")
    if _first(query, "download") == "1" or re.search(r"(?i)/download\.aspx$", link.path):
        return None
    if re.match(r"^/:[a-z]:/", link.path):
        return Verdict("sharepoint_login", repaired=_with_parameter(link, "download", "1", without=("web",)))
    if re.search(r"(?i)\.aspx$|^/(?:sites|personal|teams)/[^/]+/?$|^/$", link.path):
        return Verdict("sharepoint_login")
    return None


def _onedrive(link: WebLink, query: Query) -> Verdict | None:
    if re.search(r"/f/|/:f:", link.path):
        return Verdict("folder_link", fact="OneDrive")
    if link.path.startswith("/download") or _first(query, "download") == "1":
        return None
    if link.path.startswith("/embed") and query.keys() & {"resid", "cid", "id"}:
        direct = f"{link.scheme}://{link.origin}/download?{link.query}"
        return Verdict("onedrive_page", repaired=direct)
    return Verdict("onedrive_page")
