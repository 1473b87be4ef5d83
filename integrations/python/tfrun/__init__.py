"""Rows through `tfrun predict` from Python: `tfrun.arrow` and `tfrun.spark`."""


class Error(RuntimeError):
    """A run that failed; its text is tfrun's line: the row, the input, and what was wanted."""
