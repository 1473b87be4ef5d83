"""The harness of `make bench`: tfrun and other programs by turns over the same rows, and the table
of their ratios. See ../README.md."""
