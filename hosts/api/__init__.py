"""What hosts show over HTTP: Placement's read API and the native one."""
