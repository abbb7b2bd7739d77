"""What changes in Identity, one module per kind of thing: rows, versions that end tokens, news for the apps above."""
