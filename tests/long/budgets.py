#!/usr/bin/env -S python3 -B
"""budgets - random limits on evaluations are never exceeded: by pawl's own count, by what the journal
charges, and by what the scripted model was asked (see lab.py).

Each run draws an operator, its settings, tier sizes and a limit; every third one is killed once and
resumed.

    tests/long/budgets.py [--runs 200] [--first 1]
"""

import argparse
import json
import random
import sys
import time

import lab


def settings_of(draw, operator):
    if operator == "gepa":
        return ["--set", f"minibatch={draw.randint(1, 9)}"]
    return ["--set", f"candidates={draw.randint(0, 20)}",
            "--set", f"max_bootstrapped={draw.randint(0, 6)}",
            "--set", f"max_rounds={draw.randint(1, 3)}"]


def kill_once(project, draw, args):
    """Kill the command during the run. Gives how to go on with it."""
    process = project.start("improve", *args)
    time.sleep(draw.uniform(0.02, 0.4))
    process.kill()
    process.communicate()
    log = project.pawl("log")
    return ["--resume", "last"] if log["runs"] else args


def charged(project):
    """Evaluations by the run's journal; a run that was refused before it began has none."""
    journals = list((project.dir / ".pawl" / "store" / "runs").glob("*/journal"))
    assert len(journals) <= 1, journals
    lines = [json.loads(line[9:]) for path in journals for line in path.read_text().splitlines()]
    return sum(line.get("c", 0) for line in lines)


def one_run(number):
    draw = random.Random(f"budgets {number}")
    operator = draw.choice(("gepa", "bootstrap"))
    limit = int(10 ** draw.uniform(0.7, 3.5))
    dev_check = draw.random() < 0.5
    with lab.Project(lab.NOISE, number, train=draw.randint(1, 80), dev=draw.randint(3, 60), gate=60,
                     dev_check=dev_check) as project:
        project.pawl("init")
        args = ["--operator", operator, "--seed", str(number), "--budget", f"evaluations={limit}"]
        args += settings_of(draw, operator)
        if number % 3 == 0:
            args = kill_once(project, draw, args)
        result = project.pawl("improve", *args, codes=(0, 1, 3))
        meters = {"evaluations": result.get("evaluations", 0), "charged": charged(project),
                  "asked": result.get("tokens", {}).get("prompt", 0)}
        shown = "  ".join(f"{name} {n:5d}" for name, n in meters.items())
        print(f"{number:4d} {operator:9} limit {limit:5d}  {shown}  {result.get('verdict')}",
              flush=True)
        return max(meters.values()) <= limit


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    args = parser.parse_args()
    exceeded = [i for i in range(args.first, args.first + args.runs) if not one_run(i)]
    print(f"{args.runs} limits, {len(exceeded)} exceeded {exceeded or ''}")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
