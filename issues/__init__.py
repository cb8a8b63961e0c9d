"""The product: flagged videos of TokPortal, their repair, and the record of both."""
