"""Ratios, spreads, the table and the file that keeps them."""

import tempfile
import unittest
from pathlib import Path

from tfbench import results, table
from tfbench.goals import BY_ID, GROUPS, RATE, TABLE, Goal
from tfbench.results import Results, Row, Spread


class TestSpread(unittest.TestCase):
    def test_of(self):
        for values, want in (
            ([3.0], Spread(3, 3, 3)),
            ([5.0, 1.0, 2.0], Spread(2, 1, 5)),
            ([4.0, 1.0, 2.0, 3.0], Spread(2.5, 1, 4)),
        ):
            with self.subTest(values=values):
                self.assertEqual(Spread.of(values), want)

    def test_over(self):
        self.assertEqual(Spread(2, 1, 4).over(100), Spread(50, 25, 100))

    def test_ratios(self):
        for name, ours, theirs, higher, want in (
            ("times", [1.0, 2.0, 3.0], [10.0, 10.0, 10.0], False, Spread(0.2, 0.1, 0.3)),
            ("rates", [1.0, 2.0, 4.0], [8.0, 8.0, 8.0], True, Spread(4, 2, 8)),
            ("a slow round of both is no spread", [1.0, 5.0], [2.0, 10.0], True, Spread(2, 2, 2)),
        ):
            with self.subTest(name):
                got = results.ratios(ours, theirs, higher)
                for k in ("median", "low", "high"):
                    self.assertAlmostEqual(getattr(got, k), getattr(want, k))

    def test_ratios_of_unequal_numbers(self):
        with self.assertRaises(ValueError):
            results.ratios([1.0], [1.0, 2.0], False)


class TestFile(unittest.TestCase):
    def test_round_trip(self):
        rows = [
            Row("cold-keras3", Spread(0.1, 0.09, 0.12), Spread(1, 1, 1), Spread(10, 9, 11), "s", 5, ["tfrun predict"], "same", {"x": 1.5}),
            Row("overhead", problem="no Go"),
        ]
        want = Results("2026-11-23", "Linux, 2 cores", {"tfrun": "dev"}, True, rows)
        with tempfile.TemporaryDirectory() as d:
            path = Path(d) / "new" / "r.json"
            want.write(path)
            self.assertEqual(results.read(path), want)

    def test_another_file(self):
        with tempfile.TemporaryDirectory() as d:
            for text in ("[]", '{"format": 0}', "{"):
                path = Path(d) / "r.json"
                path.write_text(text)
                with self.subTest(text), self.assertRaises(ValueError):
                    results.read(path)


class TestTable(unittest.TestCase):
    def test_number(self):
        for x, want in (
            (0, "0"), (0.00104, "0.00104"), (0.0345, "0.0345"), (1, "1.00"), (9.996, "10.00"), (12.34, "12.3"), (862.4, "862"), (6712345, "6,710,000"),
            (-2.5, "-2.50"),
        ):  # fmt: skip
            with self.subTest(x):
                self.assertEqual(table.number(x), want)

    def test_verdict(self):
        low, high = Spread(0.1, 0.1, 0.1), Spread(5, 5, 5)
        for row, want in (
            (Row("cold-keras3", low), "✓"),
            (Row("cold-keras3", high), "✗"),
            (Row("rows-arrival-keras", high), "✓"),
            (Row("rows-arrival-keras", low), "✗"),
            (Row("cold-keras3", problem="no Python"), "✗"),
            (Row("cold-keras3", low, problem="the answers differ"), "✗"),
        ):
            with self.subTest(row=row):
                self.assertEqual(table.verdict(row), want)

    def test_lines(self):
        rows = [Row("cold-keras3", Spread(0.145, 0.13, 0.2), Spread(0.5, 0.4, 0.6), Spread(3.4, 3, 4), "s"), Row("overhead", problem="pip | failed\nagain")]
        head, rule, first, second = table.lines(rows)
        self.assertEqual(head.count("|"), rule.count("|"))
        self.assertIn("| 0.500 (0.400–0.600) s | 3.40 (3.00–4.00) s | **0.145** (0.130–0.200) | ≤ 0.12 of its time | ✗ |", first)
        self.assertIn("| – | – | not measured: pip \\| failed again | ≤ 1.02 of its time | ✗ |", second)

    def test_title_says_when_it_is_shortened(self):
        for quick in (True, False):
            self.assertEqual("shortened" in table.title(Results("2026-11-23", "Linux", {"tfrun": "dev"}, quick, [])), quick)


class TestGoals(unittest.TestCase):
    def test_table(self):
        self.assertEqual(len(BY_ID), len(TABLE), "two rows have the same id")
        self.assertEqual(sorted({w.group for w in TABLE}), sorted(GROUPS))
        for w in TABLE:
            self.assertEqual(w.goal.higher_is_better, w.kind == RATE, w.id)

    def test_met(self):
        self.assertTrue(Goal(most=1.0).met(1.0))
        self.assertFalse(Goal(most=1.0).met(1.01))
        self.assertTrue(Goal(least=9).met(9.0))
        self.assertFalse(Goal(least=9).met(8.99))


if __name__ == "__main__":
    unittest.main()
