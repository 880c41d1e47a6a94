"""The live terminal of a run."""
