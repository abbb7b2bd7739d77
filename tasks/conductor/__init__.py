"""The internal API: the only way a compute host reads or writes state. Versioned, and takes lists."""
