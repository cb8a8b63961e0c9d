"""TokPortal's public API as Python, without Django.

`client` speaks HTTP, `payloads` gives its answers types, `errors` is the one exception tree, `budget` the rate
limiter's arithmetic, `constants` the words of the contract. The contract is API version 2026-05-25.
"""
