#!/usr/bin/env -S python3 -B
"""noise - what each tool calls an improvement where there is none: every candidate is right in 60 of 100 cases.

Both search with 150 train and 50 dev cases and 2,000 evaluations. The published gepa returns the best on dev; pawl's gepa
finds the same kind of winner there, and puts it before 300 sealed cases. Prints a line of JSON for each: in how many runs
something else than the seed is returned (gepa) or in force (pawl), and by how much the best on dev seems better.
Needs `make` and bench/setup-peers; PAWL_SHARED names the folder whose anchors/ hold the peer's script.

    bench/noise.py [--runs 20]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "long"))

import lab # noqa: E402


def peer(runs):
    python = os.environ.get("PEER_PYTHON", ROOT / "build" / "peers" / "venv" / "bin" / "python")
    script = Path(os.environ.get("PAWL_SHARED", "")) / "anchors" / "bench_gepa_noise.py"
    if not script.exists() or not Path(python).exists():
        return {"skipped": "the peer is not installed; see bench/setup-peers"}
    done = subprocess.run([python, script, str(runs), "50", "2000"], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return {"tool": f"gepa {told['gepa']}", "runs": runs, "not_the_seed": told["runs_returning_nonseed"],
            "seems_better_by": told["mean_claimed_gain"]}


def ours(runs):
    changed, better = 0, []
    for number in range(1, runs + 1):
        with lab.Project(lab.NOISE, number) as project:
            project.pawl("init")
            result = project.improve("gepa", number)
            changed += result["verdict"] == "promote"
            better.append(result["dev"]["best"] - result["dev"]["seed"])
    return {"tool": "pawl", "runs": runs, "not_the_seed": changed,
            "seems_better_by": round(statistics.mean(better), 4)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    args = parser.parse_args()
    for line in (peer(args.runs), ours(args.runs)):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
