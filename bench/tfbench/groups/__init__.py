"""The groups of measurements: each module has a function `run` that gives rows of the table."""
