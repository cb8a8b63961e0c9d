"""What our own rules refuse, said in a sentence that a person can be shown."""


class Refusal(Exception):
    """A domain rule says no. `sentence` is for people, `code` for scripts.

    `can_insist`: whether the person may send it all the same. `suggestion`: a link that may be meant instead.
    """

    code = "REFUSED"
    can_insist = False
    suggestion = ""

    def __init__(self, sentence: str, *, code: str = "") -> None:
        self.sentence = sentence
        self.code = code or self.code
        super().__init__(sentence)


class LeaseLostError(Exception):
    """Another worker has taken over: whatever this one still does must not be written."""
