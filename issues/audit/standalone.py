#!/usr/bin/env python3
"""Check a history that TokDash has exported, without TokDash: `python3 verify.py evidence.zip [--key PUBLICKEY]`.

Python 3.9 or later is all it needs; with the package `cryptography` it checks the signatures too. It reads an evidence
package (`evidence.zip`, or the folder it was unpacked to) or a file of JSON lines.

  --key HEX        the public key, as the history page shows it: take it from there, not from the package
  --against FILE   an earlier package, or lines of checkpoints kept elsewhere: what they say must hold here too
  --json           one JSON object in place of sentences

How the record is made. Each event has a text (`canonical`) and a hash: SHA-256 over the former event's hash, a line
feed, and the text, all in UTF-8; the first one follows 64 zeros. Names of people are not in the text: there stands
SHA-256 over a salt, a line feed, and the name, and salt and name lie in people.jsonl, where they can be erased. A
checkpoint is a signed text (Ed25519) that says which hash stood at which number; each names the SHA-256 of the text of
the one before it. A checkpoint of kind "cut" says that the events up to its number were let go of by the team's rule.

Exit code 0: it holds. 1: it does not; the first bad event is named. 2: it could not be read.
"""

import argparse
import hashlib
import json
import sys
import zipfile
from pathlib import Path

ZEROS = "0" * 64


class Bad(Exception):
    """The record does not hold from event `seq` on."""

    def __init__(self, seq, reason):
        super().__init__(reason)
        self.seq, self.reason = seq, reason


class Package:
    """The parts of an export, whatever it came in."""

    def __init__(self, path):
        self.path = Path(path)
        self.zip = zipfile.ZipFile(self.path) if zipfile.is_zipfile(self.path) else None
        self.is_folder = self.path.is_dir()

    def lines(self, name):
        """The JSON values of one part, one a line; nothing where the part is not there."""
        if self.zip:
            inside = next((entry for entry in self.zip.namelist() if entry.rsplit("/", 1)[-1] == name), None)
            source = self.zip.open(inside) if inside else ()
        elif self.is_folder:
            file = self.path / name
            source = file.open("rb") if file.exists() else ()
        else:
            source = self.path.open("rb") if name == "events.jsonl" else ()
        for line in source:
            if line.strip():
                yield json.loads(line)

    @property
    def is_package(self):
        return bool(self.zip) or self.is_folder


def sha(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def digests_in(value):
    if isinstance(value, dict):
        if set(value) == {"digest"}:
            yield value["digest"]
        else:
            for entry in value.values():
                yield from digests_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from digests_in(entry)


def shown(value, people):
    if isinstance(value, dict):
        if set(value) == {"digest"}:
            return people.get(value["digest"], "(erased)")
        return {name: shown(entry, people) for name, entry in value.items()}
    if isinstance(value, list):
        return [shown(entry, people) for entry in value]
    return value


def read_people(package):
    """Digest → value; erased ones have `None`. Raises Bad for one that does not fit its digest."""
    people, wrong = {}, {}
    for row in package.lines("people.jsonl"):
        if row.get("erased"):
            people[row["digest"]] = None
        elif sha(row["salt"] + "\n" + row["value"]) != row["digest"]:
            wrong[row["digest"]] = row["value"]
            people[row["digest"]] = row["value"]
        else:
            people[row["digest"]] = row["value"]
    return people, wrong


def signature_check(keys):
    """A function that says whether a text was signed, `None` where the library for it is not there."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    public = {
        hashlib.sha256(bytes.fromhex(key)).hexdigest()[:16]: Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        for key in keys
    }

    def check(key_id, text, signature):
        if key_id not in public:
            return False
        try:
            public[key_id].verify(bytes.fromhex(signature), text.encode("utf-8"))
        except (InvalidSignature, ValueError):
            return False
        return True

    return check


def read_checkpoints(package, check):
    """All checkpoints in order. Raises Bad for one that is missing, was altered, or is not signed with a known key."""
    found, previous, last_seq = [], ZEROS, 0
    for row in package.lines("checkpoints.jsonl"):
        try:
            fields = json.loads(row["text"])
            number, seq = fields["number"], fields["seq"]
        except (ValueError, KeyError, TypeError):
            raise Bad(last_seq + 1, "A checkpoint was altered.") from None
        if check and not check(fields.get("key"), row["text"], row["signature"]):
            raise Bad(last_seq + 1, "Checkpoint %s was altered, or is signed with another key." % number)
        if number != len(found) + 1 or fields["previous"] != previous:
            raise Bad(last_seq + 1, "A checkpoint before number %s is missing." % number)
        previous, last_seq = sha(row["text"]), max(last_seq, seq)
        found.append(fields)
    return found


def check_event(event, people, wrong):
    """An event's readable part against its text."""
    fields = json.loads(event["canonical"])
    seq, digests = fields["seq"], fields.get("v", 1) == 2
    if digests:
        for digest in [fields["actor_digest"], fields["label_digest"], *digests_in(fields["changes"])]:
            if digest in wrong:
                raise Bad(seq, "A name or value that it shows was altered.")
            if digest and people is not None and digest not in people:
                raise Bad(seq, "A name or value of it was removed.")
    if "verb" not in event:
        return fields
    for name in ("seq", "at", "verb", "origin", "workspace_id", "bundle_id", "position", "issue_id", "fix_id",
                 "request_id", "tokportal_request_id"):  # fmt: skip
        if event[name] != fields[name]:
            raise Bad(seq, "What is shown of it (%s) is not what was recorded." % name)
    if people is not None:
        values = {digest: value for digest, value in people.items() if value is not None}
        actor = (
            values.get(fields["actor_digest"], "(erased)")
            if digests and fields["actor_digest"]
            else fields["actor_name"]
        )
        label = (
            values.get(fields["label_digest"], "(erased)") if digests and fields["label_digest"] else fields["label"]
        )
        if (event["actor"], event["label"], event["changes"]) != (actor, label, shown(fields["changes"], values)):
            raise Bad(seq, "What is shown of it is not what was recorded.")
    return fields


def verify(path, keys=(), against=None):
    """The result as a dictionary; raises Bad at the first event that does not hold."""
    package = Package(path)
    about = next(package.lines("about.json"), {}) if package.is_package else {}
    given = bool(keys)
    keys = list(keys) or about.get("public_keys", [])
    check = signature_check(keys)
    people, wrong = read_people(package) if package.is_package else (None, {})
    checkpoints = read_checkpoints(package, check) if package.is_package else []
    if package.is_package and not checkpoints:
        raise Bad(1, "The chain has no signed checkpoint.")
    cuts = [(entry["seq"], entry["hash"]) for entry in checkpoints if entry["kind"] == "cut"]
    base, previous = max(cuts) if cuts else (0, ZEROS)
    said = {}
    for entry in [*checkpoints, *read_against(against, check)]:
        said.setdefault(entry["seq"], []).append(entry)
    last_said, expected, count, team, at = max(said, default=0), base + 1, 0, None, ""
    for entry in said.get(base, []):
        if base and entry["hash"] != previous:
            raise Bad(base, "Two checkpoints contradict each other.")
    for event in package.lines("events.jsonl"):
        seq, text = event["seq"], event["canonical"]
        if not package.is_package and count == 0:
            expected, previous = seq, event["previous_hash"]  # lines alone may begin anywhere
            if seq == 1 and previous != ZEROS:
                raise Bad(1, "It does not follow the beginning.")
        if seq != expected:
            raise Bad(min(seq, expected), "Event %s is missing." % expected)
        if event["previous_hash"] != previous or sha(previous + "\n" + text) != event["hash"]:
            raise Bad(seq, "It is not what was recorded, or does not follow the event before it.")
        fields = check_event(event, people, wrong)
        if fields["seq"] != seq or (team is not None and fields["team"] != team):
            raise Bad(seq, "It stands at a place that is not its own.")
        if fields.get("v", 1) == 2 and fields["at"] < at:
            raise Bad(seq, "It is dated before the event before it.")
        for entry in said.get(seq, []):
            if entry["hash"] != event["hash"]:
                raise Bad(seq, "It is not what checkpoint %s has signed." % entry["number"])
            if entry["team"] != fields["team"]:
                raise Bad(seq, "Checkpoint %s is of another team." % entry["number"])
        team, at = fields["team"], fields["at"]
        previous, expected, count = event["hash"], expected + 1, count + 1
    if last_said >= expected:
        raise Bad(expected, "Checkpoints know events up to %s: the end was cut off." % last_said)
    if package.is_package and about.get("head", {}).get("seq", expected - 1) != expected - 1:
        raise Bad(expected, "The package names event %s as its last." % about["head"]["seq"])
    signed = max((entry["seq"] for entry in checkpoints), default=0)
    return {
        "ok": True, "events": count, "first_bad": None, "first": base + 1, "last": expected - 1, "last_hash": previous,
        "checkpoints": len(checkpoints), "signed_up_to": signed,
        "signatures": "checked" if checkpoints and check else "not checked",
        "key": "given" if given else "from the package",
    }  # fmt: skip


def read_against(path, check):
    """The checkpoints of an earlier package, or of lines that somebody kept. Unsigned ones are refused."""
    if not path:
        return []
    package = Package(path)
    rows = package.lines("checkpoints.jsonl") if package.is_package else package.lines("events.jsonl")
    found = []
    for row in rows:
        if "text" not in row:
            continue
        fields = json.loads(row["text"])
        if check and not check(fields.get("key"), row["text"], row["signature"]):
            raise ValueError("%s holds a checkpoint that is not signed with a known key" % path)
        found.append(fields)
    if not found:
        raise ValueError("%s holds no checkpoint" % path)
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("export", help="evidence.zip, the folder it was unpacked to, or a file of JSON lines")
    parser.add_argument("--key", action="append", default=[], help="public key, hexadecimal; may be given again")
    parser.add_argument("--against", help="an earlier package, or a file with lines of checkpoints")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        result = verify(options.export, options.key, options.against)
    except Bad as bad:
        result = {"ok": False, "first_bad": bad.seq, "reason": bad.reason}
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        result = {"ok": False, "first_bad": None, "reason": "It cannot be read: %s" % error}
    if options.json:
        print(json.dumps(result))
    elif result["ok"]:
        print("The record holds: events %(first)s to %(last)s, %(events)s of them." % result)
        print(
            "Signed up to event %(signed_up_to)s by %(checkpoints)s checkpoints; signatures: %(signatures)s." % result
        )
        if result["signatures"] == "not checked":
            print("Install the package cryptography (pip install cryptography) to check signatures.")
        elif result["key"] != "given":
            print("The key came from the package itself: compare it with the history page, or give it with --key.")
    else:
        print("The record does NOT hold from event %(first_bad)s on: %(reason)s" % result)
    if result["ok"]:
        return 0
    return 1 if result["first_bad"] is not None else 2


if __name__ == "__main__":
    sys.exit(main())
