"""What TokDash tells the team's own systems: signed events, read off the history, delivered until they are taken."""
