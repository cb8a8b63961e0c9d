"""Whose an issue is, when it is looked at, and what people say about it. None of it changes anything at TokPortal."""
