"""What the site takes from elsewhere in the repository, so that it cannot grow old: settings, commands, and more."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def on_page_markdown(markdown: str, **options: Any) -> str:
    """MkDocs calls it for each page."""
    for name, make in (("settings", settings), ("commands", commands), ("rooms", rooms), ("verdicts", verdicts)):
        place = f"<!-- {name} -->"
        if place in markdown:
            markdown = markdown.replace(place, make())
    return markdown


def rooms() -> str:
    """The README's diagram and table of what lives where."""
    text = (ROOT / "README.md").read_text()
    return text.partition("## Architecture\n")[2].partition("Imports go one way")[0].strip()


def settings() -> str:
    """A table a group of `.env.example`: name, what it has there, what it is for."""
    parts, words, rows = [], [], []
    for line in [*(ROOT / ".env.example").read_text().splitlines(), ""]:
        if line.startswith("#"):
            words.append(line.removeprefix("#").strip())
        elif found := re.match(r"(\w+)=(.*)", line):
            name, value = found.groups()
            rows.append(f"| `{name}` | {f'`{value}`' if value else '—'} | {_cell(' '.join(words))} |")
            words = []
        else:
            if rows:
                parts.append("\n".join(["| variable | example | meaning |", "|---|---|---|", *rows]))
            elif words:
                parts.append(" ".join(words))
            words, rows = [], []
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return re.sub(
        r"(?<!`)(https?://\S*|smtp\S*|redis://\S*|postgres://\S*)",
        r"`\1`",
        text.replace("|", "\\|").replace("<", "&lt;"),
    )


def commands() -> str:
    """Every command of ours with what `--help` says of it."""
    parts = []
    environment = {**os.environ, "DEBUG": "1", "DATABASE_URL": "sqlite://:memory:", "COLUMNS": "100"}
    script = (
        "import django; django.setup()\n"
        "from django.core.management import load_command_class\n"
        "import sys\n"
        "for name in sys.argv[1:]:\n"
        "    parser = load_command_class('issues', name).create_parser('manage.py', name)\n"
        "    print('\\0' + name + '\\0' + parser.format_help())\n"
    )
    names = sorted(path.stem for path in (ROOT / "issues" / "management" / "commands").glob("[a-z]*.py"))
    done = subprocess.run(
        [sys.executable, "-c", script, *names], cwd=ROOT, check=True, capture_output=True, text=True,
        env={**environment, "DJANGO_SETTINGS_MODULE": "tokdash.settings"},
    )  # fmt: skip
    pieces = done.stdout.split("\0")[1:]
    for name, text in zip(pieces[::2], pieces[1::2], strict=True):
        # Django's own options are the same for all.
        own = re.split(r"\n  --version ", text)[0].rstrip()
        parts.append(f"## {name}\n\n```text\n{own}\n```")
    return "\n\n".join(parts)


def verdicts() -> str:
    """The catalogue of verdicts, a table for each class."""
    script = (
        "import django; django.setup()\n"
        "from issues.enums import VerdictClass\n"
        "from issues.link_checks.catalogue import CATALOGUE\n"
        "for cls in VerdictClass:\n"
        "    rows = [(code, rule) for code, rule in CATALOGUE.items() if rule.cls is cls]\n"
        "    print(f'## {cls.label}: `{cls.value}`\\n\\n| verdict | what it says | what it advises |')\n"
        "    print('|---|---|---|')\n"
        "    for code, rule in rows:\n"
        "        print(f'| `{code}` | {rule.english} | {rule.english_advice} |')\n"
        "    print()\n"
    )
    environment = {**os.environ, "DEBUG": "1", "DATABASE_URL": "sqlite://:memory:"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True,
        env={**environment, "DJANGO_SETTINGS_MODULE": "tokdash.settings"},
    )  # fmt: skip
    return done.stdout.strip()
