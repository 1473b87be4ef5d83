#!/usr/bin/env python3
"""day.py plays the day of somebody who scores tables of rows: make day.

    day.py TFRUN MODEL [ROWS [SEED]]

It writes ROWS (60,000) rows, drawn by SEED (7), as CSV from pandas, as Parquet from DuckDB with
hashes as keys, decimals and dates, and as JSON lines from pandas' to_json, half a per cent of them
bad in each way that there is. Each file is scored with tfrun predict, which is killed twice on the
way and resumed; the scores are joined back in DuckDB by key. Every row must have a score or an
error that names it, no key or carried column may have changed, and nothing is done by hand in
between.

MODEL takes tokens, a list of whole numbers below 60: testdata/models/k3_masked/model. It needs
pandas, pyarrow and duckdb.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import duckdb
import numpy
import pandas

KEPT = ["key", "amount", "day", "name"]
KINDS = ["beyond the vocabulary", "a word among numbers", "missing"]


def make_rows(n, seed):
    """Returns a table of rows, with the kind of what is wrong with a row in column bad, or None."""
    random.seed(seed)
    keys = duckdb.sql(f"select hash(i) as key, (i * 37 % 100003 / 100)::decimal(12, 2) as amount, date '2024-01-01' + (i % 500)::int as day from range({n}) r(i)").fetchall()
    rows = []
    for i, (key, amount, day) in enumerate(keys):
        tokens = [random.randrange(1, 60) for _ in range(random.randrange(1, 30))]
        bad = random.choice(KINDS) if random.random() < 0.005 else None
        rows.append((key, amount, day, f'row "{i}", é\n{i % 7}', tokens, bad))
    return rows


def spoil(tokens, bad, typed):
    """Returns the tokens of a row as they stand in the file. A typed file has no word among
    numbers."""
    if bad == KINDS[0] or bad == KINDS[1] and typed:
        return tokens[:1] + [999999]
    if bad == KINDS[1]:
        return tokens[:1] + ["seven"]
    return None if bad else tokens


def write_files(rows, folder):
    """Writes the rows as people have them, and returns the files' names."""
    def table(typed):
        return pandas.DataFrame({
            "key": numpy.array([r[0] for r in rows], dtype="uint64"), "amount": [str(r[1]) for r in rows], "day": [str(r[2]) for r in rows],
            "name": [r[3] for r in rows], "tokens": [spoil(r[4], r[5], typed) for r in rows],
        })
    names = {form: os.path.join(folder, "rows." + form) for form in ("csv", "parquet", "jsonl")}
    table(False).to_csv(names["csv"], index=False)
    table(False).to_json(names["jsonl"], orient="records", lines=True)
    whole = table(True)  # noqa: F841, DuckDB finds it by its name
    duckdb.sql(f"copy (select key, amount::decimal(12, 2) as amount, day::date as day, name, tokens::int[] as tokens from whole) to '{names['parquet']}' (format parquet, row_group_size 4096)")
    return names


def score(tfrun, model, rows, scores, errors):
    """Scores a file, killed twice and resumed. Returns how often it was killed, and the last exit
    code."""
    command = [tfrun, "predict", model, rows, "-o", scores, "--resume", "--keep", ",".join(KEPT), "--outputs", "score=output_0",
               "--max-bad-rows", "2%", "--errors", errors, "--batch-size", "64", "--quiet"]
    journal = os.path.join(os.path.dirname(scores), "." + os.path.basename(scores) + ".tfrun-journal")
    killed, size = 0, 0
    while True:
        run = subprocess.Popen(command)
        while killed < 2 and run.poll() is None:
            time.sleep(0.01)
            now = os.path.getsize(journal) if os.path.exists(journal) else 0
            if now > size + 60:  # it has gone on by some checkpoints
                run.send_signal(signal.SIGKILL)
                killed, size = killed + 1, now
                break
        if run.wait() != -signal.SIGKILL:
            return killed, run.returncode


def check(rows, form, scores, errors):
    """Joins the scores back by key. Returns what is wrong."""
    read = {"csv": f"read_csv('{scores}', types={{'key': 'UBIGINT', 'amount': 'DECIMAL(12,2)', 'day': 'DATE', 'name': 'VARCHAR', 'error': 'VARCHAR', 'score': 'DOUBLE'}})",
            "parquet": f"read_parquet('{scores}')",
            "jsonl": f"read_json('{scores}', columns={{'key': 'UBIGINT', 'amount': 'DECIMAL(12,2)', 'day': 'DATE', 'name': 'VARCHAR', 'error': 'VARCHAR', 'score': 'DOUBLE[]'}})"}[form]
    asked = pandas.DataFrame({"key": numpy.array([r[0] for r in rows], dtype="uint64"), "amount": [str(r[1]) for r in rows], "day": [str(r[2]) for r in rows],
                              "name": [r[3] for r in rows], "bad": [r[5] for r in rows]})
    duckdb.register("asked", asked)
    duckdb.sql(f"create or replace table scored as select * from {read}")
    wrong = []

    def want(what, sql, number):
        got = duckdb.sql(sql).fetchall()[0][0]
        if got != number:
            wrong.append(f"{what}: {got}, want {number}")

    bad = sum(1 for r in rows if r[5])
    want("rows", "select count(*) from scored", len(rows))
    want("rows joined by key", "select count(*) from asked join scored using (key)", len(rows))
    want("rows with a score", "select count(*) from asked join scored using (key) where score is not null and error is null and bad is null", len(rows) - bad)
    want("bad rows with an error", "select count(*) from asked join scored using (key) where score is null and error is not null and bad is not null", bad)
    want("errors that name their file", f"select count(*) from scored where error like '%rows.{form}:%'", bad)
    want("carried columns that changed", "select count(*) from asked a join scored s using (key) where a.amount::decimal(12,2) <> s.amount or a.day::date <> s.day or a.name <> s.name", 0)
    if form == "parquet":
        types = {n: t for n, t, *_ in duckdb.sql("describe scored").fetchall()}
        for name, kind in {"score": "FLOAT", "key": "UBIGINT", "amount": "DECIMAL(12,2)", "day": "DATE"}.items():
            if types[name] != kind:
                wrong.append(f"column {name} is {types[name]}, want {kind}")
    with open(errors) as lines:
        named = [json.loads(line) for line in lines]
    if [int(e["keep"]["key"]) for e in named] != [r[0] for r in rows if r[5]]:
        wrong.append(f"--errors has {len(named)} rows, which are not the {bad} bad ones in their order")
    return wrong


def main():
    tfrun, model = sys.argv[1:3]
    rows = make_rows(int(sys.argv[3]) if len(sys.argv) > 3 else 60_000, int(sys.argv[4]) if len(sys.argv) > 4 else 7)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for form, name in write_files(rows, folder).items():
            start = time.time()
            scores, errors = os.path.join(folder, "scores." + form), os.path.join(folder, f"errors_{form}.jsonl")
            killed, code = score(tfrun, model, name, scores, errors)
            wrong = [] if code == 4 else [f"exit code {code}, want 4"]
            if os.path.exists(scores):
                wrong += check(rows, form, scores, errors)
            failed = failed or bool(wrong)
            print(f"{form}: {len(rows)} rows in {time.time() - start:.1f} s, killed {killed} times: {'; '.join(wrong) or 'all scored or named'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
