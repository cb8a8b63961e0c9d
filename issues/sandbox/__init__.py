"""A stand-in TokPortal: the contract over real HTTP, with object stores of its own, for demo, tests and training.

It imports nothing of ours but the contract's constants, so that a misunderstanding in our client is not repeated on
the other side. `server.Sandbox` starts it; `control.SandboxControl` flags videos, injects faults and reads the ledger.

Documented behaviour beyond the contract:
- fix-download really fetches what lies on its own stores, by URL or storage path. Any other URL counts as fetched, so
  that the demo works without internet, except those that `world.cannot_be_fetched` names: hosts under `.invalid`, hosts
  in `world.FAILING_HOSTS`, the links with which the seeded videos were flagged, and non-http addresses.
- Control calls live under `/_sandbox/` on the API's origin and need no key.
"""
