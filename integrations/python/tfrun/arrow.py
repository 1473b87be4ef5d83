"""Record batches through `tfrun predict`, one process for all streams of a machine.

`predict(batches, model)` sends pyarrow record batches through a signature of a SavedModel and
yields record batches: a column for each output, and those that --keep names. The process that runs
the model stays: the first stream starts it (`tfrun predict MODEL --listen unix:PATH`), others with
the same model and flags, of this process and of the user's others, share it, and it ends by itself
when nobody has come for a while. Starting one costs 0.2 s of processor time, which a stream of few
rows would pay each time.

Needs pyarrow, and nothing of TensorFlow in Python.
"""

import contextlib
import fcntl
import hashlib
import io
import itertools
import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pyarrow as pa

from . import Error, command

IDLE = "60s"  # without a stream, after which the process ends
START = 120  # seconds that a process may take until it listens
PIECE = 32 << 20  # bytes that are sent as one batch: all streams share the process' memory


def predict(batches, model, *flags, tfrun=None, schema=None, done=None):
    """Yield the results of record batches of one schema, in the rows' order, row by row.

    model is the SavedModel's folder, or its address in a store ("s3://bucket/model", where another
    one is only seen once the process has ended). flags are those of `tfrun predict` ("--keep",
    "id"). tfrun is the program (None: that of the wheel, or of the PATH). With schema results are
    cast to it, their columns by name. done, if given, is called with a dictionary of what the run
    did, as --summary writes it. No batches start nothing. Raises Error with tfrun's line where the
    run fails, and what batches raises itself.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    with _connect(tfrun, model, flags) as conn:
        feeder = _Feeder(conn, first, batches)
        answer = _Answer(conn)
        try:
            for batch in _read(answer):
                yield batch if schema is None else _cast(batch, schema)
        except (Error, pa.ArrowException, OSError):
            feeder.stop()
            if feeder.error:
                raise feeder.error from None
            if answer.error:
                raise Error(answer.error) from None
            raise
        finally:
            feeder.stop()
        if feeder.error:
            raise feeder.error
        if done:
            done(answer.summary)


class _Feeder(threading.Thread):
    """Sends record batches to a connection."""

    def __init__(self, conn, first, rest):
        super().__init__(daemon=True)
        self.conn, self.first, self.rest, self.error = conn, first, rest, None
        self.start()

    def run(self):
        try:
            with self.conn.makefile("wb", buffering=1 << 16) as f:
                # Not closed where rest raises: a stream that ends in good order is a whole one.
                writer = pa.ipc.new_stream(f, self.first.schema)
                for batch in itertools.chain([self.first], self.rest):
                    for piece in _pieces(batch):
                        writer.write_batch(piece)
                writer.close()
                f.flush()
            self.conn.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer says why
        except BaseException as e:
            self.error = e
            self._hang_up()

    def stop(self):
        """Wait for the end. Left alive in pyarrow, the thread would abort Python at its exit."""
        if self.is_alive():
            self._hang_up()
        self.join()

    def _hang_up(self):
        with contextlib.suppress(OSError):
            self.conn.shutdown(socket.SHUT_RDWR)


def _pieces(batch):
    """Yield a batch in pieces of about PIECE bytes at most, of a row at least."""
    rows = max(1, batch.num_rows * PIECE // max(batch.nbytes, PIECE))
    for start in range(0, max(batch.num_rows, 1), rows):
        yield batch.slice(start, rows)


class _Answer(io.RawIOBase):
    """What a connection answers, as the file that its frames of data make.

    A frame is a byte, the number of bytes that follow as 32 bits (big-endian), and these: "d" for a
    piece of an Arrow stream; "s", the last, for what the run did, as JSON; "e", the last, for why
    it failed.
    """

    def __init__(self, conn):
        self.file, self.left = conn.makefile("rb"), 0
        self.summary, self.error = None, None

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self.left:
            if self.summary is not None or self.error is not None:
                return 0
            head = self.file.read(5)
            if len(head) < 5:
                self.error = "tfrun has ended the connection in the middle of a stream"
                return 0
            kind, size = struct.unpack(">cI", head)
            if kind == b"d":
                self.left = size
            elif kind == b"s":
                self.summary = json.loads(self.file.read(size))
            else:
                self.error = self.file.read(size).decode(errors="replace")
        n = self.file.readinto(memoryview(buffer)[: self.left])
        self.left -= n
        return n


def _read(answer):
    """Yield the record batches of an answer, which is whole only with its summary."""
    file = io.BufferedReader(answer, 1 << 16)
    if file.peek(1):
        yield from pa.ipc.open_stream(file)
    while file.read(1 << 16):
        pass
    if answer.error is not None:
        raise Error(answer.error)


def _cast(batch, schema):
    columns = [batch[field.name].cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _connect(tfrun, model, flags):
    """Return a connection to the process that runs a model with flags; start one if need be."""
    path = _socket(tfrun, model, flags)
    conn = _try(path)
    if conn:
        return conn
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several that come at once, one starts it
        return _try(path) or _start(path, tfrun, model, flags)


def _socket(tfrun, model, flags):
    """Return the socket's path, in a folder of the user's own."""
    folder = os.path.join(tempfile.gettempdir(), "tfrun-%d" % os.getuid())
    os.makedirs(folder, mode=0o700, exist_ok=True)
    info = os.lstat(folder)
    if info.st_uid != os.getuid() or info.st_mode & 0o077:
        raise Error("%s: is not this user's alone: remove it" % folder)
    key = "\0".join([*command(tfrun), _place(model), str(age(model)), *flags])
    return os.path.join(folder, hashlib.sha256(key.encode()).hexdigest()[:16])


def _place(model):
    """Return a model's address, whatever the current folder is."""
    return model if "://" in model else os.path.realpath(model)


def age(model):
    """Return when the model's graph was written: another one is another process. It is 0 where that
    is not known, as in stores."""
    for name in ("saved_model.pb", "saved_model.pbtxt"):
        with contextlib.suppress(OSError):
            return os.stat(os.path.join(model, name)).st_mtime_ns
    return 0


def _try(path):
    conn = socket.socket(socket.AF_UNIX)
    try:
        conn.connect(path)
    except OSError:
        conn.close()
        return None
    return conn


def _start(path, tfrun, model, flags):
    words = [*command(tfrun), "predict", _place(model), "--listen", "unix:" + path]
    words += ["--listen-idle", IDLE, "--quiet", *flags]
    log = tempfile.TemporaryFile()
    # In a session of its own: it outlives the worker that started it, for the next one.
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
    )
    until = time.monotonic() + START
    while time.monotonic() < until:
        conn = _try(path)
        if conn:
            return conn
        if process.poll() is not None:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()
            raise Error(said or "tfrun has ended with exit status %d" % process.returncode)
        time.sleep(0.01)
    process.kill()
    raise Error("tfrun does not listen after %d s" % START)
