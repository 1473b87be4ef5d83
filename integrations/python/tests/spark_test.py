"""Run tfrun.spark on a standalone cluster of Spark: a master and two workers of one core.

usage: spark_test.py TFRUN MODEL

MODEL is testdata/models/k3_compiled/model: 4 floats a row, one value out. Needs pyspark, pyarrow,
moto's server and Java 17. Prints a line for each check, and exits with 1 if one failed.
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tfrun  # noqa: E402
from tfrun import spark as tfspark  # noqa: E402

ROWS, PARTITIONS = 200_000, 50
HOME = os.path.dirname(pyspark.__file__)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Store:
    """A server of S3's protocol, which every process that is started after it finds."""

    def __init__(self, folder):
        self.address = "http://127.0.0.1:%d" % (port := free_port())
        os.environ.update(AWS_ENDPOINT_URL=self.address, AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="k", AWS_REGION="us-east-1")
        log = open(os.path.join(folder, "store.log"), "wb")
        self.server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=log, stderr=log)
        wait(port)

    def put(self, bucket, folder, prefix=""):
        """Put the files of a folder into a new bucket."""
        import boto3

        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=bucket)
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_file():
                s3.upload_file(str(path), bucket, prefix + str(path.relative_to(folder)))

    def get(self, bucket, folder):
        """Get the objects of a bucket into a folder."""
        import boto3

        s3 = boto3.client("s3", region_name="us-east-1")
        for o in s3.list_objects_v2(Bucket=bucket)["Contents"]:
            path = pathlib.Path(folder, o["Key"])
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, o["Key"], str(path))

    def stop(self):
        self.server.terminate()
        self.server.wait()


def wait(port):
    for _ in range(600):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("port %d: nobody listens" % port)


class Cluster:
    """A master and its workers, which end with it."""

    def __init__(self, folder, workers):
        self.folder, self.daemons = folder, []
        self.url = "spark://127.0.0.1:%d" % (port := free_port())
        self.start("master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(free_port()))
        wait(port)
        for i in range(workers):
            flags = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--cores", "1", "--memory", "2g"]
            self.start("worker.Worker", *flags, "--work-dir", os.path.join(folder, "w%d" % i), self.url)

    def start(self, name, *args):
        env = dict(os.environ, SPARK_HOME=HOME, SPARK_LOCAL_IP="127.0.0.1", SPARK_DAEMON_MEMORY="512m")
        command = [os.path.join(HOME, "bin", "spark-class"), "org.apache.spark.deploy." + name, *args]
        log = open(os.path.join(self.folder, "log%d" % len(self.daemons)), "wb")
        self.daemons.append(subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True))

    def stop(self):
        for p in self.daemons:
            os.killpg(p.pid, signal.SIGTERM)
            p.wait()

    def executors(self):
        """Return the processes of executors, oldest first."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                text = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "CoarseGrainedExecutorBackend" in text and self.url.rsplit(":", 1)[1] and self.folder in os.readlink(entry / "cwd"):
                found.append(int(entry.name))
        return sorted(found)


def session(cluster, usual=False):
    """Return a session, with what finds faults unless all is to be as usual."""
    build = pyspark.sql.SparkSession.builder.master(cluster.url).appName("tfrun")
    for key, value in {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "1g",
        "spark.executor.cores": "1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.speculation": "true",
        "spark.speculation.interval": "200ms",
        "spark.speculation.multiplier": "1.1",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
    }.items():
        if not usual or not key.startswith(("spark.speculation", "spark.sql")):
            build = build.config(key, value)
    made = build.getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    return made


failed = 0


def check(name, ok, said=""):
    global failed
    failed += not ok
    print("%s %s%s" % ("ok  " if ok else "FAIL", name, said and ": " + str(said)), flush=True)


def main(command, model):
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    here = str(pathlib.Path(__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        x = np.random.default_rng(3).standard_normal((ROWS, 4), dtype=np.float32)
        rows = pa.table({
            "id": pa.array(np.arange(ROWS)),
            "key": pa.array(["k%d" % i for i in range(ROWS)]),
            "features": pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 4).cast(pa.list_(pa.float32())),
        })
        source, alone = os.path.join(folder, "rows.parquet"), os.path.join(folder, "alone.parquet")
        pq.write_table(rows, source, row_group_size=ROWS // PARTITIONS)
        subprocess.run([command, "predict", model, source, "-q", "--column", "keras_tensor=features", "-o", alone], check=True)
        want = pq.read_table(alone).column(0).to_numpy()
        store = Store(folder)
        try:
            cluster = Cluster(folder, 2)
            try:
                run(cluster, store, session(cluster), folder, source, want, command, model)
            finally:
                cluster.stop()
        finally:
            store.stop()
    print("%d checks failed" % failed)
    return failed > 0


def same(out, want):
    """Say what is wrong with the results in a folder; nothing where each row is there once."""
    got = pq.read_table(out, columns=["id", "key", "score"])
    ids = got["id"].to_numpy()
    if len(ids) != len(want) or len(np.unique(ids)) != len(want):
        return "%d rows, %d different, want %d" % (len(ids), len(np.unique(ids)), len(want))
    if any(k != "k%d" % i for i, k in zip(ids, got["key"].to_pylist())):
        return "a key is another row's"
    worst = np.abs(got["score"].to_numpy() - want[ids]).max()
    return "" if worst < 1e-6 else "off by %g" % worst


def with_a_kill(cluster, work):
    """Do the work, and kill an executor a second after its begin. Return whether there was one."""
    killed = []

    def kill():
        time.sleep(1)
        pids = cluster.executors()
        if pids:
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])

    thread = threading.Thread(target=kill)
    thread.start()
    work()
    thread.join()
    return bool(killed)


def run(cluster, store, spark, folder, source, want, command, model):
    options = {"keep": ["id", "key"], "outputs": ["score=output_0"], "columns": {"keras_tensor": "features"}, "tfrun": command}
    df = spark.read.parquet(source).repartition(PARTITIONS)
    scored = tfspark.predict(df, model, **options)
    out = os.path.join(folder, "out")
    start = time.monotonic()
    scored.write.parquet(out)
    wrong = same(out, want)
    check("every row once, with its own key and score", not wrong, wrong or "%.1f s" % (time.monotonic() - start))

    again = os.path.join(folder, "again")
    killed = with_a_kill(cluster, lambda: scored.union(scored.limit(0)).write.parquet(again))
    wrong = same(again, want)
    check("an executor is killed in mid-run, and the same rows come out", killed and not wrong, wrong)

    files, done = os.path.join(folder, "files"), os.path.join(folder, "done")
    df.repartition(6).write.parquet(files)
    args = dict(options, flags=["--batch-size", "1"], shards=4)
    sums = []
    killed = with_a_kill(cluster, lambda: sums.extend(tfspark.predict_files(spark, files, model, done, **args)))
    wrong = same(done, want)
    rows = sum(s["rows"] for s in sums)
    whole = os.path.exists(os.path.join(done, "_SUCCESS"))
    check("files are scored where they lie, though an executor is killed", killed and not wrong and rows == ROWS and whole, wrong or rows)
    store.put("models", model, "m/")
    stored = os.path.join(folder, "stored")
    tfspark.predict(df, "s3://models/m", **options).write.parquet(stored)
    wrong = same(stored, want)
    check("a model in a store", not wrong, wrong)
    store.put("rows", files)
    store.put("scores", os.path.join(folder, "nothing"))
    tfspark.predict_files(spark, "s3://rows/", "s3://models/m", "s3://scores/", **options)
    store.get("scores", fetched := os.path.join(folder, "fetched"))
    wrong = same(fetched, want)
    check("files, model and results in a store", not wrong and os.path.exists(os.path.join(fetched, "_SUCCESS")), wrong)

    try:
        tfspark.predict_files(spark, files, model, os.path.join(folder, "none"), keep=["nope"], tfrun=command)
        check("a column that no file has is an error with tfrun's line", False)
    except Exception as e:
        check("a column that no file has is an error with tfrun's line", "nope" in str(e))

    try:
        tfspark.predict(df, model, keep=["nope"], tfrun=command)
        check("a column that is not there is an error of the driver", False)
    except tfrun.Error as e:
        check("a column that is not there is an error of the driver", "nope" in str(e), e)

    bad = spark.sql("select id, cast(array(1, 2) as array<float>) as features from range(3)")
    try:
        tfspark.predict(bad, model, columns={"keras_tensor": "features"}, tfrun=command).collect()
        check("a row that does not fit fails with tfrun's line", False)
    except Exception as e:
        line = next((x for x in str(e).splitlines() if "tfrun.Error" in x or "want" in x), "")
        check("a row that does not fit fails with tfrun's line", 'field "keras_tensor"' in str(e) or "row 1" in str(e), line.strip())

    bad = spark.sql("select id, cast(if(id = 1, array(1), array(1, 2, 3, 4)) as array<float>) as features from range(3)")
    some = tfspark.predict(bad, model, flags=["--skip-bad-rows"], **dict(options, keep=["id"])).collect()
    check("with --skip-bad-rows it is a row with an error", [r.id for r in some if r.error] == [1] and len(some) == 3, some)

    none = tfspark.predict(df.limit(0), model, **options)
    check("no rows give no rows, of the same columns", none.columns == ["score", "id", "key"] and none.count() == 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
