"""What Python's csv and json, and DuckDB, read out of other projects' files of text.

A line of a CSV file is {"file", "column", "rows", "sum"}, as for files with types: the cells of a
column as text, a line each. Of JSON it is the same for each key of the rows, their values in one
form of all: keys sorted, numbers as 64-bit floats with 17 digits, what is not finite null. A file
of JSONTestSuite is the value of key "v" of one row. "duckdb" says whether DuckDB reads the same.
"""

import csv
import hashlib
import io
import json

import duckdb

csv.field_size_limit(1 << 30)


def digest(texts):
    return hashlib.sha256("".join(t + "\n" for t in texts).encode(errors="surrogatepass")).hexdigest()[:16]


def cells(path):
    """The names and rows of a CSV file, without the lines that have no cell."""
    text = path.read_bytes().decode("utf-8-sig")
    rows = [r for r in csv.reader(io.StringIO(text, newline=""), strict=True) if r]
    if not rows:
        raise ValueError("no rows")
    head, body = rows[0], rows[1:]
    if any(len(r) != len(head) for r in body):
        raise ValueError("rows of different lengths")
    return head, body


def spelled(cell):
    """A cell, booleans of Python's and pandas' spelling in JSON's."""
    return cell.lower() if cell in ("True", "False", "TRUE", "FALSE") else cell


def duck(path):
    """The same as DuckDB reads it, None where it refuses."""
    try:
        rel = duckdb.read_csv(str(path), header=True, delimiter=",", quotechar='"', escapechar='"', all_varchar=True)
        return [["" if v is None else v for v in r] for r in rel.fetchall()]
    except Exception:
        return None


def csvs(root):
    for path in sorted(root.rglob("*.csv")):
        file = str(path.relative_to(root))
        try:
            head, body = cells(path)
        except (ValueError, csv.Error) as e:
            yield {"file": file, "error": str(e)[:100]}
            continue
        other = duck(path)
        for i, name in enumerate(head):
            if head.count(name) > 1 or not name:
                continue
            column = [spelled(r[i]) for r in body]
            line = {"file": file, "column": name, "rows": len(body), "sum": digest(column)}
            if other is not None and all(len(r) == len(head) for r in other):
                line["duckdb"] = [spelled(r[i]) for r in other] == column
            yield line


def canonical(v):
    if isinstance(v, bool) or v is None:
        return json.dumps(v)
    if isinstance(v, (int, float)):
        try:
            v = float(v)
        except OverflowError:
            return "null"
        return f"{v:.16e}" if v - v == 0 else "null"
    if isinstance(v, str):
        whole = v.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return "s" + whole.encode().hex()
    if isinstance(v, list):
        return "[" + ",".join(map(canonical, v)) + "]"
    return "{" + ",".join(canonical(k) + ":" + canonical(v[k]) for k in sorted(v)) + "}"


def values(path):
    """The rows of a JSON file: those of its array, or one a line, or its only object."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = [json.loads(line) for line in text.splitlines() if line.strip()]
    rows = whole if isinstance(whole, list) else [whole]
    if not rows or not all(isinstance(r, dict) for r in rows):
        raise ValueError("rows are no objects")
    return rows


def jsons(root):
    for path in sorted(root.rglob("*.json")):
        file = str(path.relative_to(root))
        if "JSONTestSuite" in file:
            try:
                v = json.loads(path.read_bytes().decode("utf-8"), parse_int=float)
                yield {"file": file, "column": "v", "rows": 1, "sum": digest([canonical(v)])}
            except UnicodeDecodeError:
                yield {"file": file, "error": "not UTF-8"}
            except (ValueError, RecursionError) as e:
                yield {"file": file, "column": "v", "refused": str(e)[:100]}
            continue
        try:
            rows = values(path)
        except ValueError as e:
            yield {"file": file, "error": str(e)[:100]}
            continue
        for key in dict.fromkeys(k for r in rows for k in r):
            column = [canonical(r[key]) if key in r else "-" for r in rows]
            yield {"file": file, "column": key, "rows": len(rows), "sum": digest(column)}
