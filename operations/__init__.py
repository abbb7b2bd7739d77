"""The engine under every verb: operations with steps and leases, the outbox, events, quota gates. For any subject."""
