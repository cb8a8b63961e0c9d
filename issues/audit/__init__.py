"""The history: record an event, verify the chain, export it."""

from issues.audit.actors import Actor, Personal
from issues.audit.chain import Changes, Event, record
from issues.audit.verbs import Verb

__all__ = ["Actor", "Changes", "Event", "Personal", "Verb", "record"]
