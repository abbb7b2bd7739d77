"""Pages for people: the model admin under one theme, its login, and the figures on its first page."""
