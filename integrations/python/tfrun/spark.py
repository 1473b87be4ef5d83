"""DataFrames of Spark through `tfrun predict`.

    from tfrun import spark

    scored = spark.predict(df, "/models/m", keep=["id"], outputs=["score=output_0"])

gives a DataFrame with a column for each output and the kept ones, typed as they were. Rows are
neither lost nor doubled when an executor dies or a task is run twice: a task's results are its own
return values. Each executor's machine runs one tfrun (see tfrun.arrow), whose batches have the
default options unless flags say otherwise.

The model, and the command tfrun with libtensorflow, must be there on every executor, under the same
path. Set spark.executor.memoryOverhead 300 MB higher, for the process beside Python.
"""

import json
import subprocess

from pyspark.sql import types as T

from . import Error, arrow

_DTYPES = {
    "float": T.FloatType(), "double": T.DoubleType(), "halffloat": T.FloatType(), "bool": T.BooleanType(),
    "int8": T.ByteType(), "int16": T.ShortType(), "int32": T.IntegerType(), "int64": T.LongType(),
    "uint8": T.ShortType(), "uint16": T.IntegerType(), "uint32": T.LongType(), "uint64": T.DecimalType(20, 0),
    "utf8": T.StringType(), "string": T.StringType(), "binary": T.BinaryType(),
}  # fmt: skip


def predict(df, model, *, keep=(), outputs=(), columns=None, flags=(), tfrun="tfrun", cores=1):
    """Return the DataFrame of a signature's results for the rows of df.

    keep are columns that are carried over, outputs those of the signature to take and to rename
    ("score=output_0"; none: all), columns the input that a column feeds, where it has another name
    ({"x": "features"}), flags more of those of `tfrun predict`. cores is how many processor cores
    tfrun takes for a task: spark.task.cpus. Raises Error with tfrun's line where model, columns and
    flags do not go together; what fails in a row fails the task with a line that names it.
    """
    flags = list(flags)
    for name in keep:
        flags += ["--keep", name]
    for name in outputs:
        flags += ["--outputs", name]
    for name, column in (columns or {}).items():
        flags += ["--column", "%s=%s" % (name, column)]
    flags += ["--workers", "1", "--intra-op", str(cores)]
    schema = _schema(df, model, keep, flags, tfrun)
    from pyspark.sql.pandas.types import to_arrow_schema

    want = to_arrow_schema(schema)

    def run(batches):
        return arrow.predict(batches, model, *flags, tfrun=tfrun, schema=want)

    return df.mapInArrow(run, schema)


def _schema(df, model, keep, flags, tfrun):
    """Return what the results look like: outputs as a dry run says, kept columns as df has them."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    empty = pa.BufferOutputStream()
    with pa.ipc.new_stream(empty, to_arrow_schema(df.schema)):
        pass
    command = [tfrun, "predict", model, "-", "--input-format", "arrow", "-o", "results.arrow"]
    p = subprocess.run(
        command + ["--dry-run", "--format", "json", *flags], input=empty.getvalue().to_pybytes(), capture_output=True
    )
    if p.returncode:
        raise Error(p.stderr.decode(errors="replace").strip())
    fields = []
    for c in json.loads(p.stdout)["columns"]:
        kept = c["from"] == "input"
        fields.append(T.StructField(c["name"], df.schema[c["name"]].dataType if kept else _type(c["type"])))
    return T.StructType(fields)


def _type(name):
    """Return Spark's type of a column that a dry run calls "list<float>"."""
    if name.startswith("list<"):
        return T.ArrayType(_type(name[len("list<") : -1]))
    if name not in _DTYPES:
        raise Error("an output of type %s has no type in Spark" % name)
    return _DTYPES[name]
