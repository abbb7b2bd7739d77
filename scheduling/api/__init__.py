"""The scheduler over HTTP, in our own API."""
