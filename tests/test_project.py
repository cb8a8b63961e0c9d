"""The repository itself: what is documented is what is read, and what is vendored is what is said."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from issues.link_checks.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent


def test_every_variable_that_settings_read_is_documented():
    source = (ROOT / "tokdash" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', source))
    documented = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert read == documented - {"POSTGRES_PASSWORD"}  # the compose file reads this one


def test_vendored_files_are_what_is_said():
    table = (ROOT / "static" / "vendor" / "README.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", table, re.MULTILINE)

    assert rows
    for name, digest in rows:
        assert hashlib.sha256((ROOT / "static" / "vendor" / name).read_bytes()).hexdigest() == digest


def test_every_icon_in_use_is_in_the_sprite():
    sprite = (ROOT / "static" / "vendor" / "tabler-icons" / "sprite.svg").read_text()
    known = set(re.findall(r'<symbol id="([\w-]+)"', sprite))
    pages = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    used = set(re.findall(r'{% icon "([\w-]+)"', pages))
    for call in re.findall(r"{{ icon\((.*?)\) }}", pages):  # templates/jinja2
        used |= set(re.findall(r'(?<!== )"([\w-]+)"', call))
    used |= set(
        re.findall(
            r'\("([\w-]+)", "(?:good|bad|person|)"\)', (ROOT / "issues" / "queries" / "history_lines.py").read_text()
        )
    )

    assert used - known == set()
    assert known - used == set()


def test_locks_carry_hashes_and_no_addresses():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_compose_has_every_service_with_a_health_check():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    assert {"web", "worker", "beat", "postgres", "redis"} <= set(services)
    assert all("healthcheck" in services[name] for name in ("web", "worker", "beat", "postgres", "redis"))
    assert "interactive,sync,links,maintenance" in " ".join(services["worker"]["command"])


@pytest.mark.parametrize("path", ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "Dockerfile", ".env.example"])
def test_what_every_repository_has(path):
    assert (ROOT / path).stat().st_size > 200


def test_readme_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_readme_names_every_command():
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "issues" / "management" / "commands").glob("[a-z]*.py"):
        assert path.stem in text, path.stem


@pytest.mark.parametrize("name", ["TOKDASH_OUTSIDE_WORLD", "TOKDASH_CRASH_AT"])
def test_what_is_for_trials_is_refused_on_a_site_that_others_reach(name):
    environment = {
        "PATH": os.environ["PATH"], "SECRET_KEY": "x" * 60, "DATABASE_URL": "sqlite:///:memory:",
        "TOKDASH_FIELD_KEYS": "k1:MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=", name: "http://127.0.0.1:8703",
    }  # fmt: skip

    def start(site):
        return subprocess.run(
            [sys.executable, "-c", "import tokdash.settings"], cwd=ROOT, capture_output=True, text=True, check=False,
            env={**environment, "TOKDASH_SITE_URL": site},
        )  # fmt: skip

    refused = start("https://dash.agency.example")
    assert refused.returncode
    assert f"{name} must not be set on a site that others reach" in refused.stderr
    assert start("http://127.0.0.1:8000").returncode == 0


def test_every_make_command_in_the_texts_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {name for path in texts for name in re.findall(r"`make ([a-z-]+)", path.read_text())}

    assert {"demo", "bench-load", "bench-grow"} <= named | {"demo"}
    assert named <= targets


def test_the_documentation_takes_settings_and_commands_from_the_code():
    from docs import generated  # a folder without a package file: MkDocs imports it by path

    verdicts = generated.verdicts()
    assert all(f"| `{code}` |" in verdicts for code in CATALOGUE)
    settings, commands, rooms = generated.settings(), generated.commands(), generated.rooms()

    assert "`SENTRY_DSN`" in settings
    assert "generate_load" in commands
    assert "Python path to a settings module" not in commands
    assert "`issues/audit/`" in rooms
