"""Embedded Identity service (Keystone v3): people, projects, roles, tokens. Entered only through ``facade``."""
