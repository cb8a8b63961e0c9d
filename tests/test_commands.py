"""The commands as scripts use them: processes of their own, JSON, exit codes, secrets only by the environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from issues.sandbox.server import FULL_KEY, READ_KEY, Sandbox
from tests import factories
from tests.migrated import copy_to

ROOT = Path(__file__).resolve().parent.parent
GOOD = "https://cdn.example.com/ok.mp4"


class Installation:
    """A fresh SQLite installation in a folder, used through `manage.py` alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "SECRET_KEY": "x" * 60,
            "TOKDASH_FIELD_KEYS": "k1:MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "CELERY_BROKER_URL": f"embedded://localhost{folder / 'broker'}",
            "TOKDASH_PASSWORD": "a long password 1",
            "TOKPORTAL_API_KEY": FULL_KEY,
        }
        copy_to(folder / "db.sqlite3")

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=90,
        )
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments: str, code: int = 0, **environment: str):
        status, out, err = self.run(*arguments, "--json", **environment)
        assert status == code, err
        assert out.count("\n") == 1
        return json.loads(out)

    def connected(self, sandbox: Sandbox, **environment: str) -> "Installation":
        self.environment["TOKDASH_OUTSIDE_WORLD"] = sandbox.outside.origin
        self.json("create_team", "Bright Team", "--owner", "alice@team.example")
        self.json("connect_workspace", "Bright Team", "Main", "--base-url", sandbox.base_url, **environment)
        return self


@pytest.fixture
def new(tmp_path):
    return Installation(tmp_path)


@pytest.fixture
def connected(new, small_sandbox):
    return new.connected(small_sandbox)


@pytest.fixture
def synced(connected):
    connected.json("sync")
    return connected


def flagged(sandbox, video_type="video"):
    bundle, video = factories.slot(sandbox, video_type, flagged=True)
    return bundle["id"], str(video["position"])


def test_create_team_and_add_member(new):
    made = new.json("create_team", "Bright Team", "--owner", "Alice@Team.example")
    assert made == {
        "team": "Bright Team", "slug": "bright-team", "email": "alice@team.example", "role": "owner", "user_created": True,
    }  # fmt: skip
    assert new.json("add_member", "bright-team", "bob@team.example", "--role", "editor")["role"] == "editor"

    assert new.run("create_team", "bright team", "--owner", "alice@team.example")[0] == 1
    assert new.run("add_member", "bright-team", "bob@team.example", "--role", "viewer")[0] == 1
    assert new.run("add_member", "no team", "bob@team.example", "--role", "viewer")[0] == 2
    assert new.run("add_member", "bright-team", "x@team.example", "--role", "king")[0] == 2
    assert new.run("create_team", "T2", "--owner", "not an address")[0] == 2
    assert new.run("create_team", "T2")[0] == 2
    status, _, err = new.run("create_team", "T3", "--owner", "new@team.example", TOKDASH_PASSWORD="")
    assert (status, "TOKDASH_PASSWORD" in err) == (2, True)
    assert new.run("create_team", "T4", "--owner", "new@team.example", TOKDASH_PASSWORD="short")[0] == 2


def test_connect_workspace_checks_the_key_first(new, small_sandbox):
    new.json("create_team", "Bright Team", "--owner", "alice@team.example")

    bad = new.run(
        "connect_workspace", "Bright Team", "Main", "--base-url", small_sandbox.base_url, TOKPORTAL_API_KEY="sk_bad"
    )
    away = new.run("connect_workspace", "Bright Team", "Main", "--base-url", "http://127.0.0.1:9/api/ext")
    plain = new.run("connect_workspace", "Bright Team", "Main", "--base-url", "http://tokportal.example/api/ext")
    none = new.run(
        "connect_workspace", "Bright Team", "Main", "--base-url", small_sandbox.base_url, TOKPORTAL_API_KEY=""
    )
    assert [status for status, _, _ in (bad, away, plain, none)] == [1, 1, 1, 2]
    assert "refuses this key" in bad[2]
    assert "could not be reached" in away[2]
    assert "https://" in plain[2]
    assert new.run("sync")[0] == 2  # nothing was saved

    made = new.json("connect_workspace", "Bright Team", "Main", "--base-url", small_sandbox.base_url)
    assert made["account_email"] == "ops@brightside-agency.example"
    assert FULL_KEY not in json.dumps(made)
    assert new.run("connect_workspace", "Bright Team", "Main", "--base-url", small_sandbox.base_url)[0] == 1


def test_sync_and_list_issues(connected, small_sandbox):
    first = connected.json("sync", "--team", "bright-team", "--workspace", "Main")
    assert set(first) == {
        "bundles", "videos", "issues_opened", "issues_closed", "requests", "throttled", "errors", "seconds",
    }  # fmt: skip
    assert first["bundles"] == 12
    assert first["issues_opened"] == 8
    assert connected.json("sync")["issues_opened"] == 0

    issues = connected.json("list_issues", "--team", "Bright Team")
    assert len(issues) == 8
    assert set(issues[0]) == {"id", "bundle_id", "position", "video_type", "comment", "state", "opened_at", "deadline"}
    deadlines = [issue["deadline"] for issue in issues]
    assert deadlines == sorted(deadlines)
    assert connected.json("list_issues", "--state", "fixed") == []
    assert connected.run("list_issues", "--state", "odd")[0] == 2
    assert connected.run("list_issues", "--team", "odd")[0] == 2
    assert connected.run("sync", "--workspace", "odd")[0] == 2


def test_sync_fails_with_a_sentence(connected, small_sandbox):
    small_sandbox.control.key(FULL_KEY, revoked=True)

    status, out, err = connected.run("sync", "--json")

    assert status == 1
    assert json.loads(out)["issues_opened"] == 0
    assert "AUTH_REVOKED_KEY" in err
    assert "refuses the key" in connected.run("sync")[2]


def test_fix_by_url_without_a_worker(synced, small_sandbox):
    bundle_id, position = flagged(small_sandbox)

    done = synced.json("fix", bundle_id, position, "--url", GOOD, "--as", "alice@team.example")

    assert set(done) == {
        "id",
        "state",
        "code",
        "message",
        "video_url",
        "target_publish_date",
        "target_publish_end_date",
        "dates_kept",
        "dates_code",
        "credits_would_charge",
        "warnings",
    }
    assert (done["state"], done["code"]) == ("succeeded", None)
    assert done["target_publish_date"] < done["target_publish_end_date"]
    assert len(small_sandbox.control.ledger("fix")) == 1
    assert len(synced.json("list_issues")) == 7
    again = synced.json("fix", bundle_id, position, "--url", GOOD, "--as", "alice@team.example", code=1)
    assert (again["id"], again["state"], again["code"]) == (None, "rejected", "VIDEO_NO_DOWNLOAD_ISSUE")


def test_fix_needs_no_sync_before(connected, small_sandbox):
    bundle_id, position = flagged(small_sandbox)

    assert (
        connected.json("fix", bundle_id, position, "--url", GOOD, "--as", "alice@team.example")["state"] == "succeeded"
    )


def test_fix_by_file(synced, small_sandbox, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(factories.MP4 + os.urandom(500_000))
    bundle_id, position = flagged(small_sandbox)

    done = synced.json("fix", bundle_id, position, "--file", str(path), "--as", "alice@team.example")

    assert done["state"] == "succeeded"
    assert small_sandbox.control.ledger("put")[0]["size"] == path.stat().st_size


def test_fix_a_carousel_with_links_and_files(synced, small_sandbox, tmp_path):
    bundle, video = factories.slot(small_sandbox, "carousel")
    small_sandbox.control.flag(bundle["id"], video["position"])
    path = tmp_path / "2.jpg"
    path.write_bytes(factories.JPEG)
    where = bundle["id"], str(video["position"])

    wrong = synced.json("fix", *where, "--url", GOOD, "--as", "alice@team.example", code=1)
    done = synced.json(
        "fix", *where, "--image", "https://cdn.example.com/1.jpg", str(path), "--image", "https://cdn.example.com/3.jpg",
        "--as", "alice@team.example",
    )  # fmt: skip

    assert wrong["code"] == "WRONG_KIND"
    assert done["state"] == "succeeded"
    sent = small_sandbox.control.ledger("fix")[0]["body"]["carousel_images"]
    assert (sent[0], sent[2]) == ("https://cdn.example.com/1.jpg", "https://cdn.example.com/3.jpg")
    assert sent[1].startswith("carousel-images/")
    assert done["warnings"] == ["The carousel loses images: 4 → 3 images."]


def test_fix_says_each_refusal(synced, small_sandbox, tmp_path):
    bundle_id, position = flagged(small_sandbox)
    foreign = next(b["id"] for b in small_sandbox.control.state()["bundles"] if "brightside" not in b["owner"])
    calm_bundle, calm = factories.slot(small_sandbox, "video", flagged=False)
    empty, page = tmp_path / "empty.mp4", tmp_path / "page.mp4"
    empty.write_bytes(b"")
    page.write_bytes(b"<!DOCTYPE html><html><body>log in</body></html>")

    def code(*arguments):
        answer = synced.json("fix", *arguments, "--as", "alice@team.example", code=1)
        assert answer["state"] == "rejected"
        assert answer["message"].endswith(".")
        return answer["code"]

    assert code("no-such", "1", "--url", GOOD) == "BUNDLE_NOT_FOUND"
    assert code(foreign, "1", "--url", GOOD) == "BUNDLE_NOT_OWNED"
    assert code(bundle_id, "999", "--url", GOOD) == "VIDEO_POSITION_OUT_OF_RANGE"
    assert code(calm_bundle["id"], str(calm["position"]), "--url", GOOD) == "VIDEO_NO_DOWNLOAD_ISSUE"
    assert code(bundle_id, position, "--url", "https://x.invalid/a.mp4") == "LINK_DNS_MISSING"
    assert code(bundle_id, position, "--url", "https://x.invalid/a.mp4", "--unchecked") == "UPLOAD_FAILED"
    assert code(bundle_id, position, "--url", "nonsense") == "LINK_MALFORMED"
    assert code(bundle_id, position, "--file", str(empty)) == "FILE_EMPTY"
    assert code(bundle_id, position, "--file", str(page)) == "FILE_WRONG_KIND"
    small_sandbox.control.fault("presign_expired", times=-1)
    good = tmp_path / "good.mp4"
    good.write_bytes(factories.MP4)
    assert code(bundle_id, position, "--file", str(good)) == "STORAGE_REFUSED"
    small_sandbox.control.clear_faults()
    assert (
        synced.json("fix", bundle_id, position, "--file", str(good), "--as", "alice@team.example")["state"]
        == "succeeded"
    )


def test_fix_wrong_use_exits_2(synced, small_sandbox, tmp_path):
    bundle_id, position = flagged(small_sandbox)
    synced.json("create_team", "Other", "--owner", "charlie@other.example")

    for arguments in (
        [bundle_id, position, "--as", "alice@team.example"],
        [bundle_id, position, "--url", GOOD],
        [bundle_id, position, "--url", GOOD, "--file", "x", "--as", "alice@team.example"],
        [bundle_id, "zero", "--url", GOOD, "--as", "alice@team.example"],
        [bundle_id, "0", "--url", GOOD, "--as", "alice@team.example"],
        [bundle_id, position, "--url", GOOD, "--as", "nobody@team.example"],
        [bundle_id, position, "--url", GOOD, "--as", "charlie@other.example", "--team", "bright-team"],
        [bundle_id, position, "--file", str(tmp_path / "none.mp4"), "--as", "alice@team.example"],
    ):
        assert synced.run("fix", *arguments)[0] == 2, arguments
    assert small_sandbox.control.ledger("fix") == []


def test_another_team_and_a_viewer_cannot_fix(synced, small_sandbox):
    bundle_id, position = flagged(small_sandbox)
    synced.json("create_team", "Other", "--owner", "charlie@other.example")
    synced.json("add_member", "bright-team", "vera@team.example", "--role", "viewer")

    assert (
        synced.json("fix", bundle_id, position, "--url", GOOD, "--as", "charlie@other.example", code=1)["code"]
        == "NO_WORKSPACE"
    )
    assert (
        synced.json("fix", bundle_id, position, "--url", GOOD, "--as", "vera@team.example", code=1)["code"]
        == "FORBIDDEN"
    )
    assert small_sandbox.control.ledger("fix") == []


def test_a_read_key_and_a_second_one_for_fixes(new, small_sandbox):
    new.connected(small_sandbox, TOKPORTAL_API_KEY=READ_KEY, TOKPORTAL_WRITE_KEY=FULL_KEY)
    new.json("sync")
    bundle_id, position = flagged(small_sandbox)

    assert new.json("fix", bundle_id, position, "--url", GOOD, "--as", "alice@team.example")["state"] == "succeeded"


def test_verify_and_export_audit(synced, tmp_path):
    result = synced.json("verify_audit", "bright-team")
    assert (result["ok"], result["first_bad"]) == (True, None)

    jsonl, sheet = tmp_path / "h.jsonl", tmp_path / "h.csv"
    synced.json("export_audit", "bright-team", "--format", "jsonl", "--output", str(jsonl))
    assert synced.run("export_audit", "bright-team", "--format", "csv", "--output", str(sheet))[0] == 0
    rows = [json.loads(line) for line in jsonl.read_text().splitlines()]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == result["events"] + 1  # the export itself is written down first
    assert sheet.read_text().startswith("seq,at,verb,actor")
    assert FULL_KEY not in jsonl.read_text() + sheet.read_text()
    assert synced.run("export_audit", "bright-team", "--format", "xls", "--output", "x")[0] == 2
    assert synced.run("export_audit", "bright-team", "--format", "csv", "--output", "/no/such/folder/x")[0] == 1


def test_verify_audit_exits_1_where_history_was_changed(synced):
    import sqlite3

    with sqlite3.connect(synced.folder / "db.sqlite3") as database:
        database.execute("DROP TRIGGER history_no_update")
        database.execute("UPDATE issues_auditevent SET label = 'forged' WHERE seq = 3")

    assert synced.json("verify_audit", "bright-team", code=1) == {"ok": False, "events": 2, "first_bad": 3}
    assert synced.run("verify_audit", "bright-team")[0] == 1


@pytest.mark.parametrize("missing", ["SECRET_KEY", "TOKDASH_FIELD_KEYS"])
def test_production_refuses_to_start_without_its_secrets_and_names_them(new, missing):
    status, _, err = new.run("check", **{missing: ""})

    assert status != 0
    assert f"Set {missing} in the environment" in err


def test_development_makes_its_own_secrets(new):
    assert new.run("check", SECRET_KEY="", TOKDASH_FIELD_KEYS="", DEBUG="1")[0] == 0


def test_fresh_secrets_can_be_used(new):
    printed = subprocess.run(
        [sys.executable, "-m", "tokdash.secrets"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    environment = dict(line.split("=", 1) for line in printed.splitlines())

    assert set(environment) == {"SECRET_KEY", "TOKDASH_FIELD_KEYS"}
    assert new.run("check", **environment)[0] == 0
