"""Commands, peers, and what is said when they fail."""

import sys
import unittest

from tfbench.bench import Unit, checked, net
from tfbench.groups.cold import last_number
from tfbench.process import Done, Peer, Problem, by_turns, reason, run, shown
from tfbench.results import Row, Spread

ECHO = """
import json, os, sys
print(json.dumps({"ready": {"Echo": os.environ.get("ECHO", "1")}}), flush=True)
for line in sys.stdin:
    r = json.loads(line)
    if r["job"] == "die":
        sys.exit("ValueError: no more")
    print(json.dumps(r), flush=True)
"""


class TestRun(unittest.TestCase):
    def test_run(self):
        done = run([sys.executable, "-c", "import sys; print('out'); print('note', file=sys.stderr)"])
        self.assertEqual((done.out, done.err), ("out\n", "note\n"))
        self.assertGreater(done.seconds, 0)

    def test_failure(self):
        with self.assertRaisesRegex(Problem, "exit status 1: tfrun: error: no model"):
            run([sys.executable, "-c", "import sys; sys.exit('tfrun: error: no model\\ntfrun: hint: look')"])
        with self.assertRaisesRegex(Problem, "no-such-program"):
            run(["no-such-program"])

    def test_summary(self):
        for text, want in (("2,560 rows in 2.95s, 868 rows/s\n", 2.95), ("1 row in 71ms, 14.1 rows/s", 0.071), ("5 rows in 1m2.5s, 0.08 rows/s", 62.5)):
            with self.subTest(text):
                self.assertAlmostEqual(Done(9, "", text).summary_seconds(), want)
        with self.assertRaises(Problem):
            Done(9, "", "").summary_seconds()

    def test_reason(self):
        for text, want in (
            ("", "no message"),
            ("a\nb\n\n", "b"),
            ("tfrun: error: first\ntfrun: hint: second", "tfrun: error: first"),
            ("flag provided but not defined: -xla\nUsage:\n  -rows int", "flag provided but not defined: -xla"),
            ("WARNING: an error\nValueError: this", "ValueError: this"),
        ):
            with self.subTest(text):
                self.assertEqual(reason(text), want)


class TestTurns(unittest.TestCase):
    def test_by_turns(self):
        order = []

        def one(name):
            order.append(name)
            return len(order)

        got = by_turns(2, lambda: one("a"), lambda: one("b"))
        self.assertEqual(order, ["b", "a", "a", "b", "b", "a"])
        self.assertEqual(got, [[3, 6], [4, 5]], "the first round does not count")


class TestPeer(unittest.TestCase):
    def test_peer(self):
        with Peer([sys.executable, "-c", ECHO]) as p:
            self.assertEqual(p.ready, {"Echo": "1"})
            self.assertEqual(p.ask("run", n=3), {"job": "run", "n": 3})
            with self.assertRaisesRegex(Problem, "no more"):
                p.ask("error", error="no more")

    def test_environment(self):
        with Peer([sys.executable, "-c", ECHO], env={"ECHO": "2"}) as p:
            self.assertEqual(p.ready, {"Echo": "2"})
            self.assertEqual(shown(["a", "b c"], p.env), "ECHO=2 a 'b c'")

    def test_death(self):
        with Peer([sys.executable, "-c", ECHO]) as p, self.assertRaisesRegex(Problem, "exit status 1: ValueError: no more"):
            p.ask("die")

    def test_no_start(self):
        for program in ([sys.executable, "-c", "raise SystemExit('no module')"], ["no-such-program"]):
            with self.assertRaises(Problem):
                Peer(program)


class TestMeasurement(unittest.TestCase):
    def test_every_row_is_there(self):
        good = Row("overhead", Spread(1, 1, 1))

        def half(_):
            yield good
            raise Problem("the rest failed")

        self.assertEqual(Unit(("overhead", "batch-onnx"), half).run(None), [good, Row("batch-onnx", problem="the rest failed")])
        self.assertEqual(Unit(("overhead",), lambda _: []).run(None)[0].problem, "the benchmark gave no such row")

    def test_net(self):
        def took(*seconds):
            return [Done(s, "", "") for s in seconds]

        ours, started = net(took(3, 2, 2.5), took(0.5, 0.4, 9))
        self.assertEqual((ours, started), ([2.5, 1.5, 2], 0.5))
        with self.assertRaisesRegex(Problem, "noise"):
            net(took(3, 0.5), took(0.5))

    def test_checked(self):
        self.assertEqual(checked({"rows": 5, "worst": 1e-7, "of_allowed": 0.01})[1], "")
        self.assertIn("differ", checked({"rows": 5, "worst": 0.1, "of_allowed": 1.01})[1])

    def test_last_number(self):
        self.assertEqual(last_number("Result for output key output_0:\n[[0.5030613]]\n"), 0.5030613)
        with self.assertRaises(Problem):
            last_number("nothing")


if __name__ == "__main__":
    unittest.main()
