"""DataFrames and files of Spark through `tfrun predict`.

    from tfrun import spark

    scored = spark.predict(df, "/models/m", keep=["id"], outputs=["score=output_0"])
    spark.predict_files(session, "/data/rows", "/models/m", "/data/scores", keep=["id"])

The first gives a DataFrame with a column for each output and the kept ones, typed as they were.
Rows are neither lost nor doubled when an executor dies or a task is run twice: a task's results are
its own return values. Each executor's machine runs one tfrun (see tfrun.arrow). A DataFrame's rows
have no order, and which of them come together may change from run to run, so a row gets the answer
that it gets alone: `--batching exact`, unless flags say otherwise.

The second reads and writes files in tfrun itself, a shard in each task. Rows do not pass through
Spark, which takes several times as long for them as a small model does.

The model is a folder that every executor has under the same path, or an address of a store
("s3://bucket/model"), and the package with a libtensorflow is installed on each: tfrun[cpu,spark].
Set spark.executor.memoryOverhead 300 MB higher, for the process beside Python.
"""

import functools
import json
import subprocess
import time

from pyspark.sql import types as T

from . import Error, _zips, arrow, command

_DTYPES = {
    "float": T.FloatType(), "double": T.DoubleType(), "halffloat": T.FloatType(), "bool": T.BooleanType(),
    "int8": T.ByteType(), "int16": T.ShortType(), "int32": T.IntegerType(), "int64": T.LongType(),
    "uint8": T.ShortType(), "uint16": T.IntegerType(), "uint32": T.LongType(), "uint64": T.DecimalType(20, 0),
    "utf8": T.StringType(), "string": T.StringType(), "binary": T.BinaryType(),
}  # fmt: skip


def predict(df, model, *, keep=(), outputs=(), columns=None, flags=(), tfrun=None, cores=1):
    """Return the DataFrame of a signature's results for the rows of df.

    keep are columns that are carried over, outputs those of the signature to take and to rename
    ("score=output_0"; none: all), columns the input that a column feeds, where it has another name
    ({"x": "features"}), flags more of those of `tfrun predict`, tfrun the program, where it is
    neither that of the wheel nor on the PATH. cores is how many processor cores tfrun takes for a
    task: spark.task.cpus. Raises Error with tfrun's line where model, columns and flags do not go
    together; what fails in a row fails the task with a line that names it.
    """
    flags = ("--batching", "exact", *_flags(keep, outputs, columns, flags, cores))
    schema = _schema(df.schema, _results(df.schema.json(), model, arrow.age(model), flags, tfrun))
    from pyspark.sql.pandas.types import to_arrow_schema

    want = to_arrow_schema(schema)

    def run(batches):
        _zips.keep()
        return arrow.predict(batches, model, *flags, tfrun=tfrun, schema=want)

    return df.mapInArrow(run, schema)


def predict_files(session, source, model, out, *, keep=(), outputs=(), columns=None, flags=(), tfrun=None, cores=1, shards=None):
    """Score a folder of files, or a pattern, into the folder out, and return what was done.

    All names are those of the executors: of a file system that they share, or of an object store
    ("s3://bucket/rows/"). There are as many shards as cores, or shards of them: of files, and of
    the row groups of large Parquet files. Each is a task, whose summary is a dictionary of the list
    that is returned. A task that Spark runs again goes on where the earlier one stopped, and waits
    while that still writes: a file appears once, and whole. The other options are those of predict.
    Raises what Spark raises, with tfrun's line in it, where a shard fails.
    """
    shards = shards or session.sparkContext.defaultParallelism
    words = ["predict", model, source, "-o", out, "--resume", "--quiet", "--summary", "-"]
    words += _flags(keep, outputs, columns, flags, cores)
    tasks = session.sparkContext.parallelize(range(shards), shards)
    return tasks.map(lambda shard: _run([*command(tfrun), *words, "--shard", "%d/%d" % (shard, shards)])).collect()


def _run(words):
    """Run a shard, once no other process runs it, and return its summary."""
    while True:
        p = subprocess.run(words, capture_output=True, text=True, errors="replace")
        if p.returncode in (0, 4):  # 4: bad rows, which flags allow
            return json.loads(p.stdout)
        if "another run is writing it" not in p.stderr:
            raise Error(p.stderr.strip() or "tfrun has ended with exit status %d" % p.returncode)
        time.sleep(1)


def _flags(keep, outputs, columns, flags, cores):
    """Return the flags of `tfrun predict` for the options of this module."""
    flags = list(flags)
    for name in keep:
        flags += ["--keep", name]
    for name in outputs:
        flags += ["--outputs", name]
    for name, column in (columns or {}).items():
        flags += ["--column", "%s=%s" % (name, column)]
    return [*flags, "--workers", "1", "--intra-op", str(cores)]


def _schema(rows, results):
    """Return what the results look like: outputs as a dry run says, kept columns as rows have them."""
    fields = []
    for name, kind, kept in results:
        fields.append(T.StructField(name, rows[name].dataType if kept else _type(kind)))
    return T.StructType(fields)


@functools.lru_cache(maxsize=256)  # a stream's micro-batches ask the same again and again
def _results(schema, model, age, flags, tfrun):
    """Return the name and type of each column of the results, and whether it is kept.

    schema is that of the rows, as JSON. age, arrow.age of the model, tells models at one place apart.
    """
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    empty = pa.BufferOutputStream()
    with pa.ipc.new_stream(empty, to_arrow_schema(T.StructType.fromJson(json.loads(schema)))):
        pass
    words = [*command(tfrun), "predict", model, "-", "--input-format", "arrow", "-o", "results.arrow"]
    p = subprocess.run(
        words + ["--dry-run", "--format", "json", *flags], input=empty.getvalue().to_pybytes(), capture_output=True
    )
    if p.returncode:
        raise Error(p.stderr.decode(errors="replace").strip())
    return [(c["name"], c.get("type"), c["from"] == "input") for c in json.loads(p.stdout)["columns"]]


def _type(name):
    """Return Spark's type of a column that a dry run calls "list<float>"."""
    if name.startswith("list<"):
        return T.ArrayType(_type(name[len("list<") : -1]))
    if name not in _DTYPES:
        raise Error("an output of type %s has no type in Spark" % name)
    return _DTYPES[name]
