"""The history: record an event, verify the chain, export it."""

from issues.audit.actors import Actor
from issues.audit.chain import Changes, Event, record
from issues.audit.verbs import Verb

__all__ = ["Actor", "Changes", "Event", "Verb", "record"]
