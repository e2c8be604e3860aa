#!/usr/bin/env -S python3 -B
"""demos - what examples/review-sentiment does in fresh projects: how often the gate certifies.

    demos.py [--seeds FROM-TO] [--at-least N]      default 1-10 and nine

Each project has its own folder, key and split; only the run's seed is fixed. Real model, real time:
about five minutes each on two idle cores. Model and reviews are those that `make demo` prepared."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = os.environ.get("PAWL_BIN", str(ROOT / "build" / "pawl"))
EXAMPLE = ROOT / "examples" / "review-sentiment"


def data_home():
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def run_project(seed):
    """One fresh project; gives a row of the table."""
    home = Path(tempfile.mkdtemp(prefix="pawl-demo."))
    try:
        project = home / "project"
        shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".pawl*"))
        (home / "data" / "pawl").mkdir(parents=True)
        (home / "data" / "pawl" / "models").symlink_to(data_home() / "pawl" / "models")
        environment = dict(os.environ, XDG_DATA_HOME=str(home / "data"))

        def call(*words):
            done = subprocess.run([BIN, "-C", str(project), *words, "--json"], env=environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
            if done.returncode not in (0, 1):
                sys.exit("demos: seed %d: %s: %s%s" % (seed, words[0], done.stdout, done.stderr))
            return json.loads(done.stdout)

        call("init")
        begun = time.monotonic()
        verdict = call("improve", "--operator", "bootstrap", "--seed", str(seed))
        seconds = time.monotonic() - begun
        report = str(data_home() / "pawl" / "demo" / "report.jsonl")
        bars = [call("eval", "--cases", report, "--artifact", which)["mean"]
                for which in ("seed", "incumbent")]
        return {"seed": seed, "verdict": verdict.get("verdict"), "seconds": round(seconds),
                "report_seed": bars[0], "report_candidate": bars[1]}
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", default="1-10")
    options.add_argument("--at-least", type=int, default=9)
    given = options.parse_args()
    first, last = map(int, given.seeds.split("-"))
    rows = []
    for seed in range(first, last + 1):
        rows.append(run_project(seed))
        print(json.dumps(rows[-1]), flush=True)
    promoted = sum(row["verdict"] == "promote" for row in rows)
    print("demos: %d of %d promoted" % (promoted, len(rows)))
    return 0 if promoted >= given.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
