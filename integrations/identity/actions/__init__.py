"""What changes in Identity, one module per kind of thing: rows, versions that end tokens, and news for the apps above."""
