"""What counts as worse than the baseline."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from tfbench import __main__ as command
from tfbench import compare
from tfbench.goals import BY_ID
from tfbench.results import Results, Row, Spread

TIME, RATE = "cold-keras3", "rows-arrival-keras"


def run_of(*rows, machine="Linux", quick=False, **versions):
    return Results("2026-11-23", machine, versions, quick, list(rows))


def row(id, median, low=None, high=None):
    return Row(id, Spread(median, low or median, high or median), rounds=3)


class TestCompare(unittest.TestCase):
    def worse(self, then, now):
        (c,) = compare.compare(run_of(*then), run_of(now))
        return c

    def test_worse(self):
        for name, then, now, want in (
            ("the same", row(TIME, 0.1), row(TIME, 0.1), False),
            ("a time that grew", row(TIME, 0.1), row(TIME, 0.12), True),
            ("a time that shrank", row(TIME, 0.1), row(TIME, 0.05), False),
            ("a rate that shrank", row(RATE, 2.0), row(RATE, 1.8), True),
            ("a rate that grew", row(RATE, 2.0), row(RATE, 3.0), False),
            ("less than any two runs differ", row(TIME, 0.1), row(TIME, 0.104), False),
            ("within the spread of the baseline", row(TIME, 0.1, 0.08, 0.13), row(TIME, 0.12), False),
            ("within the spread of the run", row(TIME, 0.1), row(TIME, 0.12, 0.1, 0.15), False),
            ("beyond both", row(TIME, 0.1, 0.098, 0.104), row(TIME, 0.12, 0.115, 0.13), True),
            ("not measured any more", row(TIME, 0.1), Row(TIME, problem="it crashed"), True),
            ("answers that differ now", row(TIME, 0.1), Row(TIME, Spread(0.1, 0.1, 0.1), problem="the answers differ"), True),
        ):
            with self.subTest(name):
                self.assertEqual(self.worse([then], now).worse, want)

    def test_new_rows_are_not_worse(self):
        for now in (row(TIME, 0.1), Row(TIME, problem="no Python")):
            self.assertFalse(self.worse([row(RATE, 2.0)], now).worse)

    def test_rows_that_were_not_run_are_left_out(self):
        self.assertEqual([c.id for c in compare.compare(run_of(row(TIME, 0.1), row(RATE, 2.0)), run_of(row(RATE, 2.0)))], [RATE])

    def test_warnings(self):
        then = run_of(machine="Linux, 2 cores", tfrun="v1", TensorFlow="2.20.0")
        got = compare.warnings(then, run_of(machine="Linux, 8 cores", quick=True, tfrun="v2", TensorFlow="2.21.0"))
        self.assertEqual(len(got), 3)
        self.assertEqual(compare.warnings(then, then), [])


class TestCommand(unittest.TestCase):
    """The whole command, on files."""

    def run_command(self, *argv):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = command.main(argv)
        return status, out.getvalue()

    def test_baseline_and_compare(self):
        with tempfile.TemporaryDirectory() as d:
            base, one, two = (str(Path(d) / f"{n}.json") for n in ("base", "one", "two"))
            run_of(row(TIME, 0.1)).write(Path(one))
            run_of(row(RATE, 2.0)).write(Path(two))
            status, out = self.run_command("baseline", "--baseline", base, one, two)
            self.assertEqual((status, out), (0, f"2 ratios in {base}\n"))
            status, out = self.run_command("compare", "--baseline", base, one)
            self.assertEqual(status, 0, out)
            run_of(row(TIME, 0.2), row(RATE, 2.0)).write(Path(one))
            status, out = self.run_command("compare", "--baseline", base, one)
            self.assertEqual(status, 1)
            self.assertIn("WORSE  cold-keras3: 0.100 → 0.200: 100% worse, noise 5%", out)
            self.assertIn("2 ratios, 1 worse by more than the noise: cold-keras3", out)

    def test_no_baseline_of_problems(self):
        with tempfile.TemporaryDirectory() as d:
            base, one = Path(d) / "base.json", Path(d) / "one.json"
            run_of(Row(TIME, problem="it crashed")).write(one)
            status, out = self.run_command("baseline", "--baseline", str(base), str(one))
            self.assertEqual(status, 2)
            self.assertIn("cold-keras3", out)
            self.assertFalse(base.exists())

    def test_no_such_file_or_group(self):
        for argv in (("compare", "--baseline", "no.json", "no.json"), ("run", "--only", "cold,warm")):
            status, out = self.run_command(*argv)
            self.assertEqual(status, 2)
            self.assertTrue(out.startswith("bench: error: "), out)


class TestChosen(unittest.TestCase):
    def test_chosen(self):
        def ids(names):
            return [i for u in command.chosen(names) for i in u.ids]

        self.assertEqual(ids(""), list(BY_ID), "each row of the table is measured, in its order")
        self.assertEqual(ids("overhead"), ["overhead", "calls"])
        self.assertEqual(ids("memory, cold-keras3"), ["cold-keras3", "memory-jsonl", "memory-npy"])


if __name__ == "__main__":
    unittest.main()
