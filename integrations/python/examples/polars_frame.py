"""Score a data frame of Polars, and keep its columns beside the outputs.

    python polars_frame.py MODEL rows.parquet

The frame has a column for each input of the model, under its name. Needs polars and pyarrow.
"""

import sys

import polars as pl
import pyarrow as pa

from tfrun import arrow


def score(frame: pl.DataFrame, model: str) -> pl.DataFrame:
    # results have the rows' order, so they stand beside them
    batches = frame.to_arrow().to_batches(max_chunksize=50_000)
    return pl.concat([frame, pl.from_arrow(pa.Table.from_batches(arrow.predict(batches, model)))], how="horizontal")


def main(model, source):
    print(score(pl.read_parquet(source), model))


if __name__ == "__main__":
    main(*sys.argv[1:])
