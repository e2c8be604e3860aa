#!/usr/bin/env -S python3 -B
"""measure - what pawl costs, in CPU time of all its processes; see bench/run.

Each measurement is repeated, and the median is shown with [lowest, highest]. What cannot be measured
here is named as skipped.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import peers
import projects

ROOT = Path(__file__).resolve().parents[1]
SEED = 1


class Bench:
    def __init__(self, build, repeats):
        self.pawl, self.programs = build / "pawl", sorted((build / "bench").glob("bench_*"))
        self.repeats = repeats
        self.rows, self.ratios, self.skipped = [], [], []

    def read(self, path):
        """What runs printed, both outputs in one file."""
        for line in open(path):
            if line.startswith("SKIPPED "):
                self.skipped.append(line.removeprefix("SKIPPED ").strip().split(": ", 1))
            row = json.loads(line) if line.startswith("{") else {}
            (self.ratios if "peer" in row else self.rows if "bench" in row else []).append(row)

    def skip(self, what, why):
        self.skipped.append((what, why))
        print(f"SKIPPED {what}: {why}", file=sys.stderr, flush=True)

    def note(self, name, values, unit, goal=None, detail=""):
        row = {"bench": name, "median": statistics.median(values), "min": min(values),
               "max": max(values), "n": len(values), "unit": unit, "goal": goal, "detail": detail}
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        return row["median"]

    def versus(self, name, peer, ours, theirs, unit, goal, detail="", at_most=None):
        """A row beside a peer; ours is None where we cannot do it yet. goal: how many times less;
        at_most: what ours may be by itself."""
        row = {"row": name, "peer": peer, "ours": ours, "theirs": theirs, "unit": unit, "goal": goal,
               "at_most": at_most, "detail": detail,
               "ratio": statistics.median(theirs) / statistics.median(ours) if ours else None}
        self.ratios.append(row)
        print(json.dumps(row), flush=True)

    def repeat(self, name, measure, times=None):
        """A list of what measure() gives, or None when it cannot run."""
        try:
            return [measure() for _ in range(times or self.repeats)]
        except (OSError, RuntimeError, ValueError, KeyError, subprocess.SubprocessError) as error:
            self.skip(name, str(error).strip()[-300:])
            return None


def spent(argv, **options):
    """Run a command: CPU seconds of it and its children, wall seconds, standard output."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, **options)
    wall_s = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"exit {done.returncode}: {done.stdout}{done.stderr}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall_s, done.stdout


# --- pawl ------------------------------------------------------------------------------------------


def measure_start(bench):
    runs = bench.repeat("start", lambda: spent([bench.pawl, "--version"]), 20)
    if runs:
        bench.note("pawl --version, wall", [1e3 * wall_s for _, wall_s, _ in runs], "ms")


def evaluate(bench, n):
    """CPU milliseconds per evaluation: the engine's own count, and all processes; MiB of engine."""
    with projects.Project(projects.PLAIN, SEED, dev=n) as project:
        project.init(bench.pawl)
        cpu_s, _, out = spent(project.argv(bench.pawl, "eval"), env=project.env)
        result = json.loads(out)
        if result["n"] != n or result["cached"] != 0:
            raise RuntimeError(f"{result['n']} cases of {n}, {result['cached']} from the cache")
        return 1e3 * result["cpu_s"] / result["evaluations"], 1e3 * cpu_s / result["evaluations"]


def measure_evaluations(bench):
    for n in (2000, 20000):
        runs = bench.repeat(f"pawl eval, {n} cases", lambda: evaluate(bench, n))
        if not runs:
            continue
        bench.note(f"pawl eval, {n} scripted cases, engine", [run[0] for run in runs],
                   "CPU ms an evaluation", 0.03)
        bench.note(f"pawl eval, {n} scripted cases, all processes with their start",
                   [run[1] for run in runs], "CPU ms an evaluation")


def loop(bench, kind, iterations):
    """CPU seconds of one GEPA run with its journal, and of the offer at its end."""
    with projects.Project(kind, SEED, gate=60) as project:
        project.init(bench.pawl)
        argv = project.argv(bench.pawl, "improve", "--force", "--operator", "gepa", "--seed", str(SEED),
                            "--set", f"max_iterations={iterations}",
                            "--budget", f"evaluations={60 * iterations + 200}")
        cpu_s, wall_s, out = spent(argv, env=project.env)
        result = json.loads(out)
        wanted = iterations + 1 if kind is projects.RISING else None
        if wanted and result["candidates"] != wanted:
            raise RuntimeError(f"{result['candidates']} candidates instead of {wanted}")
        return cpu_s, wall_s, result["evaluations"]


LOOPS = (("nothing accepted", projects.FLAT, 992, 0.5), ("all accepted", projects.RISING, 1071, 3.0))


def measure_loops(bench, long):
    for name, kind, iterations, goal_s in LOOPS:
        medians = []
        for factor in (1, 10) if long else (1,):
            n = factor * iterations
            title = f"gepa through the command, {n} iterations, {name}"
            runs = bench.repeat(title, lambda: loop(bench, kind, n), None if factor == 1 else 1)
            if not runs:
                break
            detail = f"{runs[0][2]} evaluations; wall {statistics.median(r[1] for r in runs):.2f} s"
            medians.append(bench.note(title, [run[0] for run in runs], "CPU s", factor * goal_s,
                                      detail))
        if len(medians) == 2:
            bench.note(f"gepa, ten times the iterations, {name}", [medians[1] / medians[0]],
                       "times the CPU", 10)


def measure_plan(bench):
    def plan():
        with projects.Project(projects.PLAIN, SEED) as project:
            project.init(bench.pawl)
            return spent(project.argv(bench.pawl, "plan"), env=project.env)[0]

    runs = bench.repeat("pawl plan", plan)
    if runs:
        bench.note("pawl plan, 300 gate cases", [1e3 * run for run in runs], "CPU ms")


# --- programs ----------------------------------------------------------------------------------------

NEEDS_A_MODEL = ("bench_lm_llama",) # measured beside llama-server
PROGRAM_GOALS = {("evaluate", "cpu_ms_per_case"): 0.03, ("pareto", "select_ms"): 1,
                 ("ledger", "us_per_record"): 5, ("ledger", "grown_mib"): 8, ("sandbox", "warm_cpu_ms"): 3}


def flatten(fields, prefix=""):
    for key, value in fields.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key} ")
        else:
            yield prefix + key, value


def measure_program(bench, program):
    runs = bench.repeat(program.name, lambda: spent([program])[2].splitlines())
    if not runs:
        return
    for lines in zip(*runs):
        parsed = [json.loads(line) for line in lines]
        first = parsed[0]
        name = " ".join(str(v) for v in first.values() if isinstance(v, str))
        given = ", ".join(f"{k} {v}" for k, v in first.items()
                          if isinstance(v, int) and all(p[k] == v for p in parsed))
        for key, value in flatten(first):
            if isinstance(value, float) and not key.startswith("goal_"):
                values = [dict(flatten(line))[key] for line in parsed]
                goal = PROGRAM_GOALS.get((first.get("bench"), key))
                bench.note(f"{name}: {key}", values, "", goal, given)


# --- what is written ----------------------------------------------------------------------------------


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.processor())
    return f"{model}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"


def versions(bench):
    def first_line(argv):
        try:
            return subprocess.run(argv, capture_output=True, text=True).stdout.splitlines()[0]
        except (OSError, IndexError):
            return "unknown"

    commit = first_line(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    return f"{first_line([str(bench.pawl), '--version'])} ({commit}), Python {platform.python_version()}"


def figure(value):
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def spread(values):
    """Median [lowest, highest]."""
    if not values:
        return "not yet"
    text = figure(statistics.median(values))
    return f"{text} [{figure(min(values))}, {figure(max(values))}]" if len(values) > 1 else text


def peer_table(bench):
    yield "| work | pawl | peer | | unit | times less | goal | holds | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in bench.ratios:
        goal, most, ratio = row["goal"], row["at_most"], row["ratio"]
        goals = [f"≥ {goal:g} times"] if goal else []
        goals += [f"≤ {most:g}"] if most else []
        held = ratio and (not goal or ratio >= goal) and (
            most is None or statistics.median(row["ours"]) <= most)
        yield f"| {row['row']} | {spread(row['ours'])} | {spread(row['theirs'])} | {row['peer']} | " \
              f"{row['unit']} | {figure(ratio) if ratio else ''} | {', '.join(goals)} | " \
              f"{'' if not goals or not ratio else 'yes' if held else '**no**'} | {row['detail']} |"


def table(bench, loads, note=None):
    yield "# Benchmarks"
    yield ""
    yield "Written by `bench/run --write`. Median [lowest, highest] of the repetitions; CPU time is"
    yield "that of all processes together. What each line measures: `bench/`."
    yield ""
    yield f"- Machine: {machine()}"
    yield f"- Versions: {versions(bench)}"
    yield f"- Date {time.strftime('%Y-%m-%d', time.gmtime())}; seed {SEED}; load at start {loads[0]:.2f}, " \
          f"at the end {loads[1]:.2f} (the benchmark itself counts)"
    if note:
        yield f"- {note}"
    yield ""
    if bench.ratios:
        yield "## Beside the peers"
        yield ""
        yield from peer_table(bench)
        yield ""
    yield "## pawl alone"
    yield ""
    yield "| what | figure | unit | goal | holds | n | of |"
    yield "|---|---|---|---|---|---|---|"
    for row in bench.rows:
        goal = row["goal"]
        holds = "" if goal is None else "yes" if row["median"] <= goal else "**no**"
        around = f" [{figure(row['min'])}, {figure(row['max'])}]" if row["n"] > 1 else ""
        yield f"| {row['bench']} | {figure(row['median'])}{around} | {row['unit']} | " \
              f"{'' if goal is None else f'≤ {goal:g}'} | {holds} | {row['n']} | {row['detail']} |"
    if bench.skipped:
        yield ""
        yield "Not measured in this run:"
        yield from (f"- {what}: {why.splitlines()[-1] if why else ''}" for what, why in bench.skipped)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="leave out ten times the iterations")
    parser.add_argument("--only", choices=("own", "peers"), help="a part of it")
    parser.add_argument("--from", dest="read", type=Path, metavar="FILE",
                        help="measure nothing: make the table from the lines that runs printed")
    parser.add_argument("--note", help="a line above the tables")
    parser.add_argument("--write", action="store_true", help="replace docs/benchmarks.md")
    args = parser.parse_args()
    bench, load = Bench(args.build, args.repeats), os.getloadavg()[0]
    if args.read:
        bench.read(args.read)
    if args.only != "peers" and not args.read:
        measure_start(bench)
        measure_evaluations(bench)
        measure_loops(bench, not args.short)
        measure_plan(bench)
        for program in bench.programs:
            if program.name not in NEEDS_A_MODEL:
                measure_program(bench, program)
    if args.only != "own" and not args.read:
        peers.measure(bench, spent, not args.short)
    text = "\n".join(table(bench, (load, os.getloadavg()[0]), args.note)) + "\n"
    sys.stderr.write("\n" + text)
    if args.write:
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs" / "benchmarks.md").write_text(text)


if __name__ == "__main__":
    main()
