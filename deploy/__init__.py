"""Brings a whole cloud up on one machine, and down again: what `./cloud` runs. Nothing in the product imports this."""
