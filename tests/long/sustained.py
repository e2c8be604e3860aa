#!/usr/bin/env -S python3 -B
"""sustained - a million evaluations (200,000 cases) in one engine: its memory stays flat, it leaks no descriptor, and the
last tenth costs at most a tenth more CPU time than the first (see lab.py).

The engine is watched from outside: at each tick of progress its resident memory, its open descriptors
and the CPU time of its threads are read from /proc. A run that fails is tried again, at most twice:
what other processes do to our caches passes, growth does not.

    tests/long/sustained.py [--cases 200000] [--samples 5]
"""

import argparse
import json
import os
import random
import statistics
import sys
from pathlib import Path

import lab

MEMORY_SLACK_MIB = 4     # an allocator's own unrest; a leak of 24 bytes a case would be more
SLOWER = 1.10


def write_cases(path, n, seed):
    draw = random.Random(f"sustained {seed}")
    with open(path, "w") as f:
        for i in range(n):
            number = draw.randrange(10**8, 10**9)
            f.write(json.dumps({"id": f"q{i}", "input": f"Is {number} even? {i}",
                                "target": "no" if number % 2 else "yes"}) + "\n")


def engine_of(command):
    """The worker that evaluates: a child of the command."""
    for folder in Path("/proc").iterdir():
        try:
            stat = (folder / "stat").read_text()
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == command and words[1:2] == [b"engine"]:
            return folder
    raise lab.Failure("there is no engine")


def look(process):
    """CPU seconds of all threads, MiB resident, open descriptors."""
    cpu_ns = sum(int((task / "schedstat").read_text().split()[0])
                 for task in (process / "task").iterdir())
    pages = int((process / "statm").read_text().split()[1])
    return (cpu_ns / 1e9, pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            len(list((process / "fd").iterdir())))


def watch(command):
    """(evaluations done, CPU seconds, MiB, descriptors) at each tick."""
    engine, seen = None, []
    for line in command.stderr:
        tick = json.loads(line)
        if tick.get("phase") != "evaluate":
            continue
        try:
            engine = engine or engine_of(command.pid)
            seen.append((tick["evaluations"], *look(engine)))
        except OSError: # it has just ended
            break
    return seen


def cpu_at(seen, done):
    """CPU seconds when so many were done, between the ticks around it."""
    for (n0, cpu0, *_), (n1, cpu1, *_) in zip(seen, seen[1:]):
        if n0 <= done <= n1 and n1 > n0:
            return cpu0 + (cpu1 - cpu0) * (done - n0) / (n1 - n0)
    raise lab.Failure(f"no ticks around {done} evaluations")


def summarise(seen, total):
    """First and last tenth of what the ticks span (the first comes a little after the start)."""
    first, last = seen[0][0], seen[-1][0]
    tenth = (last - first) / 10
    us = [1e6 * (cpu_at(seen, first + (k + 1) * tenth) - cpu_at(seen, first + k * tenth)) / tenth
          for k in range(10)]
    settled = [s for s in seen if s[0] >= first + tenth]
    return {"evaluations": total, "ticks": len(seen), "cpu_us_by_tenth": [round(x, 2) for x in us],
            "last_to_first": round(us[9] / us[0], 3),
            "grown_mib": round(statistics.median(s[2] for s in settled[-5:]) -
                               statistics.median(s[2] for s in settled[:5]), 2),
            "resident_mib": round(seen[-1][2], 1),
            "descriptors": sorted({s[3] for s in settled})}


def run(n_cases, samples):
    n = n_cases * samples
    with lab.Project(lab.NOISE, 1) as project:
        del project.env["PAWL_TEST_SEED"] # its clock stands still, so that progress would not tick
        (project.dir / "model.lua").write_text(lab.MODEL % "local function is_right() return true end")
        project.pawl("init")
        cases = project.home / "many.jsonl"
        write_cases(cases, n_cases, 1)
        command = project.start("eval", "--cases", cases, "--samples", samples)
        seen = watch(command)
        out, _ = command.communicate(timeout=600)
        result = json.loads(out)
        if command.returncode != 0 or result["evaluations"] != n or result["mean"] != 1:
            raise lab.Failure(out)
        if len(seen) < 20:
            raise lab.Failure(f"{len(seen)} ticks are too few to tell")
        return summarise(seen, n)


def problems(found):
    if found["grown_mib"] > MEMORY_SLACK_MIB:
        yield f"memory grew by {found['grown_mib']} MiB"
    if len(found["descriptors"]) != 1:
        yield f"the number of descriptors changed: {found['descriptors']}"
    if found["last_to_first"] > SLOWER:
        yield f"the last tenth took {found['last_to_first']} times the CPU time of the first"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--samples", type=int, default=5)
    args = parser.parse_args()
    for _ in range(3):
        found = run(args.cases, args.samples)
        found["problems"] = list(problems(found))
        print(json.dumps(found), flush=True)
        if not found["problems"]:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
