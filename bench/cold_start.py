"""Times one row from process start to answer, and the listing of a model: tfrun against saved_model_cli, in turns, in one run.

    python bench/cold_start.py [--tfrun bin/tfrun] [--cli saved_model_cli] [--repeat 7]

Needs saved_model_cli (requirements.txt beside this script) and a built tfrun. Prints the median and the spread of each, and the ratio of the medians.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

MODEL = "testdata/models/full_seed/{}/model"
ROW = [12, 7, 431, 88, 3, 1200, 5, 61]


def timed(command, env):
    start = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    took = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return took, done.stdout


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--tfrun", default="bin/tfrun")
    a.add_argument("--cli", default="saved_model_cli")
    a.add_argument("--repeat", type=int, default=7)
    o = a.parse_args()
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    with tempfile.TemporaryDirectory() as temp:
        rows = os.path.join(temp, "row.jsonl")
        with open(rows, "w") as f:
            f.write(str(ROW) + "\n")
        work = []
        for form, name in (("k3", "keras_tensor"), ("k2", "embedding_input")):
            model = MODEL.format(form)
            run = [o.cli, "run", "--dir", model, "--tag_set", "serve", "--signature_def", "serving_default",
                   "--input_exprs", f"{name}=[{[float(x) for x in ROW]}]"]
            work.append((f"one row, {form}", [o.tfrun, "predict", model, rows, "--quiet"], run))
            show = [o.cli, "show", "--dir", model, "--all"]
            work.append((f"describe, {form}", [o.tfrun, "shapes", model], show))
        print(f"{'':14} {'tfrun, s':>24} {'saved_model_cli, s':>24} {'ratio':>7}")
        for what, ours, theirs in work:
            times = ([], [])
            for _ in range(o.repeat):
                for k, command in enumerate((ours, theirs)):
                    times[k].append(timed(command, env)[0])
            mid = [statistics.median(t) for t in times]
            cells = [f"{m:.3f} ({min(t):.3f}–{max(t):.3f})" for m, t in zip(mid, times)]
            print(f"{what:14} {cells[0]:>24} {cells[1]:>24} {mid[0] / mid[1]:7.3f}")


main()
