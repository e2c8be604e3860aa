#!/usr/bin/env -S python3 -B
"""calibration - does the whole engine keep what the gate promises?

    noise   every candidate is right in 60 of 100 cases, so every promotion is false:
            of 100 runs at least 90 offer something, and at most 5 promote
    gain    one kind of candidate wins 20 cases of 100 and loses 5 (15 points, discordance .25):
            of 100 runs at least 95 offer it, and at least 80 promote it

150 train, 50 dev and 300 gate cases, 2,000 evaluations, no dev-check; cases, model, secrets and run
seed follow from the number of the run, which is fixed before. With another number of runs the bounds
are scaled. Exit 1 when a bound does not hold.

    tests/long/calibration.py [--runs 100] [--first 1] [--jobs 2] [--scenario noise|gain] [--json FILE]
"""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import lab

SCENARIOS = {"noise": lab.NOISE, "gain": lab.GAIN}
# As many random sets as 2,000 evaluations pay for, so that all operators search with all of it.
OPERATORS = {"gepa": (), "bootstrap": ("--set", "candidates=30"), "textgrad": ("--set", "epochs=0"),
             "mipro": ("--set", "auto=heavy"), "placebo": ("--set", "proposals=30")}


def one_run(scenario, operator, number, dev_check):
    with lab.Project(SCENARIOS[scenario], number, dev_check=dev_check) as project:
        project.pawl("init")
        result = project.improve(operator, number, *OPERATORS[operator])
        if result["evaluations"] > 2000:
            raise lab.Failure(f"{scenario} {operator} {number}: {result['evaluations']} evaluations")
        return {key: result[key] for key in ("verdict", "evaluations", "candidates", "wall_s")}


def series(scenario, operator, numbers, args):
    with ThreadPoolExecutor(args.jobs) as pool:
        return list(pool.map(lambda i: one_run(scenario, operator, i, args.dev_check), numbers))


def bounds(scenario, n):
    """Lowest number of offers, lowest and highest number of promotions."""
    if scenario == "noise":
        return 0.90 * n, 0, 0.05 * n
    return 0.95 * n, 0.80 * n, n


def share(k, n):
    low, high = lab.clopper_pearson(k, n)
    return f"{k:4d} of {n} [{low:.3f}, {high:.3f}]"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="number of the first run")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scenario", choices=SCENARIOS, action="append")
    parser.add_argument("--operator", choices=OPERATORS, action="append")
    parser.add_argument("--dev-check", action="store_true", help="choose on a hidden third of dev")
    parser.add_argument("--json", help="write every run to this file")
    args = parser.parse_args()
    numbers = range(args.first, args.first + args.runs)
    rows, all_hold = [], True
    print("scenario  operator   offers, 95 % interval         promotions                    holds")
    for scenario in args.scenario or SCENARIOS:
        for operator in args.operator or OPERATORS:
            start = time.monotonic()
            runs = series(scenario, operator, numbers, args)
            offers = sum(run["verdict"] != "none" for run in runs)
            promotions = sum(run["verdict"] == "promote" for run in runs)
            least_offers, least, most = bounds(scenario, args.runs)
            holds = offers >= least_offers and least <= promotions <= most
            all_hold = all_hold and holds
            print(f"{scenario:9} {operator:9} {share(offers, args.runs)}   "
                  f"{share(promotions, args.runs)}   {'yes' if holds else 'NO'}"
                  f"  ({time.monotonic() - start:.0f} s)", flush=True)
            rows += [dict(run, scenario=scenario, operator=operator, number=number)
                     for number, run in zip(numbers, runs)]
    if args.json:
        with open(args.json, "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in rows)
    return 0 if all_hold else 1


if __name__ == "__main__":
    sys.exit(main())
