"""A compute host's side of the conversation: take, lease, report, heartbeat, poll, reconcile, journal. No database."""
