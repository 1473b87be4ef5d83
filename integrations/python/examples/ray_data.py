"""Score a data set of Ray Data: one tfrun process a machine, whichever Ray worker asks.

    python ray_data.py MODEL 'rows/*.parquet' scores/

The rows have a column "id" and one for each input of the model, under its name. The model and the
command tfrun lie under the same path on every machine. Needs ray[data] and pyarrow.
"""

import sys

import pyarrow as pa
import ray

from tfrun import arrow


def score(batch: pa.Table, model: str) -> pa.Table:
    # a batch's rows come back in their order; "--intra-op 1" is for the task's num_cpus=1
    flags = ["--keep", "id", "--workers", "1", "--intra-op", "1"]
    return pa.Table.from_batches(arrow.predict(batch.to_batches(), model, *flags))


def main(model, source, target):
    rows = ray.data.read_parquet(source)
    scored = rows.map_batches(score, batch_format="pyarrow", batch_size=50_000, num_cpus=1, fn_args=[model])
    scored.write_parquet(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
