"""Every change has its event: no domain function is without one, and no model of people or work changes past it."""

import ast
import inspect
from collections import Counter
from pathlib import Path

import pytest

import issues
from issues.audit import Verb
from issues.queries.history_sentences import _SAID, _WITH_OUTCOME, _WITH_ROLE, _WITH_VALUES, Told, sentence_of_event

ROOT = Path(issues.__file__).parent
# Functions that take an actor, do not write themselves, and hand him to one that does. They are followed, not believed.
RECORDERS = {"record", "record_for"}

# What writes to people or work without an actor, and why that is no change of theirs.
QUIET = {
    "issues/members.py:get_or_create_user": "an account of nobody's team yet; joining one is written down",
    "issues/erasing.py:erase_account": "each team's part is written down by erase_from_team; the account is in no team",
    "issues/triage/saved.py:choose_default": "what a person's own queue shows first is nobody else's matter",
    "issues/notify/invitations.py:mail_invitations": "marks a mail as sent; the invitation itself is written down",
    "issues/load/world.py:make_team": "made up for measuring; its history, made up too, begins with the team",
    "issues/notify/keys.py:tell_owners_of_refused_keys": "marks a mail as sent; the refusal itself is written down",
}


def functions():
    """(path:name, node) of every function of the product."""
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT.parent).as_posix()
        if "/migrations/" in relative or "/sandbox/" in relative:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{relative}:{node.name}", node


ALL = dict(functions())


def parameters(node):
    return {argument.arg: argument for argument in (*node.args.args, *node.args.kwonlyargs)}


def takes_actor(node):
    annotation = parameters(node).get("actor")
    return (
        annotation is not None and annotation.annotation is not None and "Actor" in ast.unparse(annotation.annotation)
    )


def calls(node):
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            yield inner.func.attr if isinstance(inner.func, ast.Attribute) else getattr(inner.func, "id", ""), inner


def passes_actor(call):
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any("actor" in ast.unparse(value) or ast.unparse(value) == "self" for value in given)


def writers():
    """Names of functions that write an event, themselves or through one that they hand the actor to."""
    known = set(RECORDERS)
    while True:
        found = {
            node.name
            for node in ALL.values()
            if node.name not in known and any(name in known and passes_actor(call) for name, call in calls(node))
        }
        if not found:
            return known
        known |= found


WRITERS = writers()
# A constructor keeps the actor for the methods, which are followed.
DOMAIN = sorted(
    place for place, node in ALL.items() if takes_actor(node) and "/audit/" not in place and node.name != "__init__"
)


def test_the_walk_finds_the_domain():
    assert len(DOMAIN) > 35
    assert {
        "issues/members.py:hand_over",
        "issues/fixes/submit.py:submit_links",
        "issues/triage/notes.py:write_note",
    } <= set(DOMAIN)


@pytest.mark.parametrize("place", DOMAIN)
def test_a_domain_function_writes_an_event(place):
    assert ALL[place].name in WRITERS, f"{place} takes an actor and writes no event"


def test_the_walk_notices_a_function_without_an_event():
    """The check can fail: take the call away from one, and it is found."""
    silent = ast.parse(inspect.cleandoc('''
        def rename_team(*, team, name: str, actor: Actor) -> None:
            team.name = name
            team.save(update_fields=["name"])
    ''')).body[0]  # fmt: skip

    assert takes_actor(silent)
    assert not any(name in WRITERS and passes_actor(call) for name, call in calls(silent))


# --- Models ---------------------------------------------------------------------------------------------------

WATCHED = {"User", "Team", "Membership", "Invitation"}
WRITES = {"create", "bulk_create", "update", "bulk_update", "delete", "get_or_create", "update_or_create", "save"}


def changes_people(node):
    """Whether a function writes to a model of people by name: `Membership.objects.…create(…)` and the like."""
    return any(
        name in WRITES and any(f"{model}.objects" in ast.unparse(call.func) for model in WATCHED)
        for name, call in calls(node)
    )


def test_people_change_only_where_it_is_written_down():
    quiet = {place for place, node in ALL.items() if changes_people(node) and ast_has_no_event(node)}

    assert quiet <= set(QUIET), quiet - set(QUIET)


def ast_has_no_event(node):
    return not any(name in WRITERS for name, _ in calls(node))


def test_the_list_of_quiet_ones_is_true():
    assert set(QUIET) <= set(ALL)


# --- Verbs ----------------------------------------------------------------------------------------------------


def test_every_verb_is_used_and_has_a_sentence():
    used = Counter()
    for path in ROOT.rglob("*.py"):
        if path.name not in {"verbs.py", "history_lines.py", "history_sentences.py"}:
            text = path.read_text()
            used.update(verb.name for verb in Verb if f"Verb.{verb.name}" in text)

    assert [verb.name for verb in Verb if not used[verb.name]] == []
    for verb in Verb:
        said = sentence_of_event(verb, Told(verb.value, "something", {}))
        assert said
        assert said != verb.value
    assert set(_SAID) | set(_WITH_OUTCOME) | set(_WITH_ROLE) | set(_WITH_VALUES) <= set(Verb)
