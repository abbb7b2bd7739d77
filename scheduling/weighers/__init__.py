"""Weighers: each gives every host a number; normalised to 0..1, multiplied by its weight, summed."""
