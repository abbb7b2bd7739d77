"""The doorstep: Celery tasks, the conductor's HTTP API, and a compute host's agent."""
