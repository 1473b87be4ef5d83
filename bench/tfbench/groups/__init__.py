"""The groups of measurements: each module has UNITS, the rows of the table that it measures."""
