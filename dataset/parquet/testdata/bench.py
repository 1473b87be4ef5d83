"""Writes the files of BenchmarkRows into the folder it is given, and times pyarrow on them: columns
→ NumPy, batches of 65,536.

    python testdata/bench.py DIR && PARQUET_BENCH=DIR go test -bench Rows -run xxx .
"""

import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

folder, rows = sys.argv[1], 1 << 20
x = np.random.default_rng(1).standard_normal((rows, 32), dtype=np.float32)
pq.write_table(pa.table({f"f{i}": x[:, i] for i in range(32)}), folder + "/columns.parquet")
pq.write_table(pa.table({"x": pa.ListArray.from_arrays(np.arange(0, rows * 32 + 1, 32, dtype=np.int32), x.ravel())}), folder + "/list.parquet")
for name in "columns", "list":
    for _ in range(3):
        start, cpu, n = time.perf_counter(), time.process_time(), 0
        for batch in pq.ParquetFile(folder + f"/{name}.parquet").iter_batches(65536):
            if name == "columns":
                a = np.stack([c.to_numpy() for c in batch.columns], axis=1)
            else:
                a = batch.column(0).flatten().to_numpy().reshape(-1, 32)
            n += len(a)
        print(f"{name}: {n / (time.perf_counter() - start):,.0f} rows/s, {(time.process_time() - cpu) / n * 1e9:.0f} ns of processor a row")
