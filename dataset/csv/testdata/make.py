"""Writes the files of this folder, as pandas, DuckDB and Python's csv module write them, and
cases.json, which says what they hold.

    pip install -r requirements.txt && python make.py
"""

import csv
import json

import duckdb
import numpy as np
import pandas as pd

CASES = []


def spec(dtype, *shape, ragged_rank=None):
    out = {"dtype": dtype, "shape": [None if d < 0 else d for d in shape]}
    if ragged_rank is not None:
        out["ragged_rank"] = ragged_rank
    return out


def number(v):
    """A number as JSON: NaN and the infinities in quotes."""
    v = float(v)
    if np.isnan(v):
        return "NaN"
    if np.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    return v


def case(file, spec, rows, **more):
    CASES.append({"file": file, "spec": spec, "rows": rows, **more})


def pandas_files():
    rng = np.random.default_rng(7)
    x = rng.standard_normal((9, 4)).astype(np.float32)
    frame = pd.DataFrame(x, columns=[f"f{i}" for i in range(4)])
    rows = [{"x": [float(v) for v in r]} for r in x]
    frame.to_csv("pandas_float32.csv", index=False)
    case("pandas_float32.csv", {"x": spec("float32", 4)}, rows)
    frame.to_csv("pandas_index.csv")
    case("pandas_index.csv", {"x": spec("float32", 2, 2)}, [{"x": [r["x"][:2], r["x"][2:]]} for r in rows])
    pd.DataFrame(x).to_csv("pandas_no_names.csv", index=False)
    case("pandas_no_names.csv", {"x": spec("float32", 4)}, rows)
    pd.DataFrame(x).to_csv("pandas_no_header.csv", index=False, header=False)
    case("pandas_no_header.csv", {"x": spec("float32", 4)}, rows)
    case("pandas_no_header.csv", {"a": spec("float32"), "b": spec("float32", 2)}, [{"a": r["x"][3], "b": r["x"][:2]} for r in rows],
         name="columns by number", columns={"a": ["3"], "b": ["0", "1"]})

    y = rng.standard_normal(40) * 10.0 ** rng.integers(-30, 30, 40)
    pd.DataFrame({"y": y}).to_csv("pandas_float64.csv", index=False)
    case("pandas_float64.csv", {"y": spec("float64")}, [{"y": v} for v in y.tolist()])
    case("pandas_float64.csv", {"y": spec("float32", 1)}, [{"y": [float(np.float32(v))]} for v in y], name="float64 text to float32")

    mixed = pd.DataFrame({
        "id": [1, 2**53 + 1, -5],
        "text": ['plain', 'a "quoted", word', 'two\nlines é€😀'],
        "flag": [True, False, True],
        "score": [0.5, np.inf, -np.inf],
        "list": [[1, 2, 3], [], [7]],
        "nested": [[[1, 2], [3, 4]], [[5, 6]], []],
    })
    for file, kw in [("pandas_mixed.csv", {}), ("pandas_mixed.tsv", {"sep": "\t"}), ("pandas_semicolon.csv", {"sep": ";"}),
                     ("pandas_crlf.csv", {"lineterminator": "\r\n"}), ("pandas_bom.csv", {"encoding": "utf-8-sig"}),
                     ("pandas_quoted.csv", {"quoting": csv.QUOTE_ALL})]:
        mixed.to_csv(file, index=False, **kw)
        case(file,
             {"id": spec("int64"), "text": spec("string"), "flag": spec("bool"), "score": spec("float32"), "list": spec("int32", -1),
              "nested": spec("float32", -1, 2)},
             [{"id": int(r.id), "text": r.text, "flag": bool(r.flag), "score": number(r.score), "list": r.list, "nested": r.nested}
              for r in mixed.itertuples()])
    case("pandas_mixed.csv", {"words": spec("string", 1), "ragged": spec("int64", -1, -1, ragged_rank=1)},
         [{"words": [r.text], "ragged": r.nested, "id": r.id, "text": r.text} for r in mixed.itertuples()],
         name="mapped and kept", columns={"words": ["text"], "ragged": ["nested"]}, keep=["id", "text"])
    case("pandas_mixed.csv", {"textt": spec("string")}, [], name="did you mean", error='did you mean "text"?')
    case("pandas_mixed.csv", {"id": spec("int32")}, [{"id": 1}, {"$error": 'pandas_mixed.csv:3: field "id": 9007199254740993 does not fit int32'},
                                                     {"id": -5}], name="too large")
    case("pandas_mixed.csv", {"id": spec("float32")}, [{"id": 1}, {"id": 2**53}, {"id": -5}], name="integers are rounded like any text")

    missing = pd.DataFrame({"v": [1.5, np.nan, 2.5]})
    missing.to_csv("pandas_missing.csv", index=False, na_rep="NaN")
    case("pandas_missing.csv", {"v": spec("float32")}, [{"v": 1.5}, {"v": "NaN"}, {"v": 2.5}])
    pd.DataFrame({"v": [1.5, np.nan, 2.5], "w": [1, 2, 3]}).to_csv("pandas_empty.csv", index=False)
    case("pandas_empty.csv", {"v": spec("float32")}, [{"v": 1.5}, {"$error": 'pandas_empty.csv:3: field "v": want a float32, got an empty cell'}, {"v": 2.5}])


def duckdb_files():
    con = duckdb.connect()
    con.execute("""
        create table t as select * from (values
            (1, 0.5, 'a,b', true, [1, 2], date '2024-01-02'), (2, -1e300, 'say "hi"', false, [], date '2024-01-03'),
            (3, 'nan'::double, '', true, [3], date '2024-01-04')) as v(id, x, text, flag, list, day)""")
    rows = [{"id": 1, "x": 0.5, "text": "a,b", "flag": True, "list": [1, 2], "day": "2024-01-02"},
            {"id": 2, "x": -1e300, "text": 'say "hi"', "flag": False, "list": [], "day": "2024-01-03"},
            {"id": 3, "x": "NaN", "text": "", "flag": True, "list": [3], "day": "2024-01-04"}]
    columns = {"id": spec("uint8"), "x": spec("float64"), "text": spec("string"), "flag": spec("bool"), "list": spec("int64", -1)}
    con.execute("copy t to 'duckdb.csv' (header)")
    case("duckdb.csv", columns, rows, keep=["day"])
    con.execute("copy t to 'duckdb.tsv' (header, delimiter '\t')")
    case("duckdb.tsv", columns, rows, keep=["day"])


def csv_files():
    with open("python.csv", "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(["n", "text"])
        w.writerows([[1, "a\r\nb"], ["+2", ' spaced '], ["3.0", "it's 5\" long"], ["4e0", "x"]])
    case("python.csv", {"n": spec("int16"), "text": spec("string")},
         [{"n": 1, "text": "a\r\nb"}, {"n": 2, "text": " spaced "}, {"n": 3, "text": "it's 5\" long"}, {"n": 4, "text": "x"}])
    with open("by_hand.csv", "w", newline="") as f:
        f.write('n,text\r\n\r\n1,5" pipe\n2,"a""b"\nx,y\n3\n4,a,b\n"5","z"\n6,"a"b\n 7 ,last')
    case("by_hand.csv", {"n": spec("int8"), "text": spec("string")},
         [{"n": 1, "text": '5" pipe'}, {"n": 2, "text": 'a"b'}, {"$error": 'by_hand.csv:5: field "n": want an integer, got "x"'},
          {"$error": "by_hand.csv:6: want 2 fields, got 1"}, {"$error": "by_hand.csv:7: want 2 fields, got 3"}, {"n": 5, "text": "z"},
          {"$error": 'by_hand.csv:9: field "text": text stands after the closing quote'}, {"n": 7, "text": "last"}])


pandas_files()
duckdb_files()
csv_files()
with open("cases.json", "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, allow_nan=False, ensure_ascii=False) for c in CASES) + "\n]\n")
