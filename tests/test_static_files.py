"""The stylesheet and the scripts speak of nothing that is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHEET = (ROOT / "static" / "css" / "tokdash.css").read_text()
SCRIPTS = {path.name: path.read_text() for path in (ROOT / "static" / "js").glob("*.js")}
TEMPLATES = "\n".join(path.read_text() for path in (ROOT / "templates").rglob("*") if path.is_file())
CODE = "\n".join(path.read_text() for path in (ROOT / "issues").rglob("*.py") if "sandbox" not in path.parts)
PAGES = "\n".join([TEMPLATES, CODE, *SCRIPTS.values()])
# Made by Django, and by the libraries that we serve: HTMX, Sortable and uPlot.
OF_OTHERS = {
    "errorlist",
    "htmx-request",
    "htmx-indicator",
    "sortable-ghost",
    "u-legend",
    "u-series",
    "u-marker",
    "u-label",
    "u-value",
}


def selectors():
    """Every selector of the sheet, without what is asked of media."""
    text = re.sub(r"(?s)/\*.*?\*/", "", SHEET)
    text = re.sub(r"@(?:media|supports|layer)[^{]*\{", "", text)
    for prelude in re.findall(r"([^{}]+)\{[^{}]*\}", text):
        if not prelude.strip().startswith("@"):
            yield from (one.strip() for one in re.split(r",(?![^(]*\))", prelude))


def words_of(selector, mark):
    bare = re.sub(r"\[[^\]]*\]", "", selector)
    return re.findall(rf"\{mark}([A-Za-z_][\w-]*)", bare)


def is_used(word):
    return word in OF_OTHERS or re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", PAGES) is not None


def test_every_class_and_id_of_the_sheet_is_used():
    unused = {
        f"{mark}{word}" for selector in selectors() for mark in ".#" for word in words_of(selector, mark)
        if not is_used(word)
    }  # fmt: skip

    assert unused == set()


def test_every_attribute_of_the_sheet_is_used():
    names = {name for selector in selectors() for name in re.findall(r"\[([\w-]+)", selector)}

    assert {name for name in names if name not in PAGES} == set()


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_data_attribute_of_a_script_is_somewhere(name):
    """In a template, or set by a script itself."""
    script = SCRIPTS[name]
    wanted = set(re.findall(r"\[(data-[\w-]+)", script))
    wanted |= {
        "data-" + re.sub(r"([A-Z])", lambda found: f"-{found[1].lower()}", word)
        for word in re.findall(r"\.dataset\.(\w+)", script)
    }
    set_by_scripts = {
        "data-" + re.sub(r"([A-Z])", lambda found: f"-{found[1].lower()}", word)
        for word in re.findall(r"\.dataset\.(\w+)\s*=[^=]", "\n".join(SCRIPTS.values()))
    }

    assert {one for one in wanted - set_by_scripts if one not in TEMPLATES and one not in CODE} == set()


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_id_that_a_script_looks_up_is_somewhere(name):
    ids = set(re.findall(r"getElementById\(\"([\w-]+)\"\)", SCRIPTS[name]))
    ids |= set(re.findall(r"(?:one|querySelector|querySelectorAll)\(\"#([\w-]+)", SCRIPTS[name]))

    assert {one for one in ids if f'"{one}"' not in TEMPLATES and f"'{one}'" not in TEMPLATES} == set()


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_word_that_a_script_says_is_in_a_template(name):
    keys = {
        re.sub(r"([A-Z])", lambda found: f"-{found[1].lower()}", key)
        for key in re.findall(r"\bsay\(\"(\w+)\"", SCRIPTS[name])
    }

    assert {key for key in keys if f"data-{key}=" not in TEMPLATES} == set()


def test_siblings_in_the_sheet_are_siblings_in_a_template():
    """`#a + .b` matches nothing as soon as somebody puts an element between the two."""
    pairs = [
        (selector, first, second)
        for selector in selectors()
        for first, second in re.findall(r"(#[\w-]+)\s*[+~]\s*([.#][\w-]+)", selector)
    ]

    assert pairs == []  # an id is one element: give its sibling a class of its own instead
