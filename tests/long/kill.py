#!/usr/bin/env -S python3 -B
"""kill - kill -9 at random moments of improve runs and of gate attempts, then resume.

A campaign is one project that is killed a few times and then left alone. Each kill hits one of the
processes that there are at that moment: the front, the engine, the vault, the sealed side. After
each: the ledger verifies, one incumbent is in force, no attempt was refunded. At the end: no
journaled step was lost, and the result is that of a project that was never disturbed, unless a
killed attempt had to be asked again, at a stricter level: then the search is the same, and the
verdict may only have become worse.

    tests/long/kill.py [--kills 300] [--first 1]
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import lab

GONE_S = 10  # workers that lost their front must have ended by then
KILLS_EACH = 6


def processes_of(front):
    """The front and its workers: {role: pid}."""
    found = {"front": front.pid}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            argv = stat.with_name("cmdline").read_text().split("\0")
        except (OSError, IndexError):
            continue
        if parent == front.pid and len(argv) > 1 and argv[0].endswith("pawl-worker"):
            found[argv[1]] = int(stat.parent.name)
    return found


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids):
    end = time.monotonic() + GONE_S
    while any(is_running(pid) for pid in pids):
        if time.monotonic() > end:
            raise lab.Failure(f"workers outlive their front by {GONE_S} s")
        time.sleep(0.005)


def kill_one(front, draw, moment_s, hit):
    """Wait, half of the time from the start of a vault on, and kill somebody. Gives the role, or
    None when the command had ended before."""
    at_gate = draw.random() < 0.5
    start = time.monotonic()
    while at_gate and front.poll() is None and "vault" not in processes_of(front):
        if time.monotonic() - start > moment_s * 3:
            break
    time.sleep(draw.uniform(0, moment_s / 4 if at_gate else moment_s))
    if front.poll() is not None:
        return None
    there = processes_of(front)
    role = draw.choice(sorted(there))
    try:
        os.kill(there[role], signal.SIGKILL)
    except ProcessLookupError:
        return None
    try:
        front.wait(GONE_S)
    except Exception:
        front.kill()
        raise lab.Failure(f"the front hangs after its {role} was killed")
    wait_until_gone(there.values())
    hit[role] += 1
    return role


def steps_journaled(project):
    """Whole lines of the newest journal that are steps."""
    journals = list((project.dir / ".pawl" / "store" / "runs").glob("*/journal"))
    if not journals:
        return 0
    text = max(journals, key=lambda path: path.stat().st_mtime).read_bytes()
    return sum(b'"p":"' in line for line in text.split(b"\n")[:-1])


class Watch:
    """What must hold whenever nothing is running."""

    def __init__(self, project):
        self.project = project
        self.attempts = self.records = 0

    def look(self):
        ledger = self.project.pawl("ledger", "verify")
        status = self.project.pawl("status")
        if not ledger["ok"] or ledger["records"] < self.records:
            raise lab.Failure(f"the ledger lost records or is broken: {ledger}")
        if status["attempts"] < self.attempts:
            raise lab.Failure(f"attempts went from {self.attempts} to {status['attempts']}")
        shown = self.project.pawl("show", "incumbent")
        if shown["artifact"] != status["incumbent"]:
            raise lab.Failure("two incumbents are in force")
        self.attempts, self.records = status["attempts"], ledger["records"]
        return status, ledger


def finish(front, codes=(0, 1, 3)):
    """The result of a command that ended by itself, or None when it could not."""
    out, err = front.communicate()
    if front.returncode in codes:
        return json.loads(out)
    if front.returncode not in (-signal.SIGKILL, 5, 6, 130):
        raise lab.Failure(f"exit {front.returncode}: {out}{err}")
    return None


def campaign(project, again, draw, n_kills, moment_s, hit):
    """Kill the command of again() up to n_kills times, then let it end. Gives its result and the
    number of kills."""
    watch, kills, result = Watch(project), 0, None
    while result is None:
        seen = steps_journaled(project)
        front = project.start(*again())
        if kills < n_kills:
            kills += kill_one(front, draw, moment_s, hit) is not None
            result = finish(front)
        else:
            result = finish(front)
            if result is None:
                raise lab.Failure(f"it cannot be resumed: {' '.join(again())}")
        watch.look()
    if result.get("resumed_steps", seen) < seen:
        raise lab.Failure(f"{seen} steps were journaled, {result['resumed_steps']} came back")
    return result, kills


def same_end(whole, killed, keys, attempts, expected):
    """`attempts` of the killed project, `expected` of the other."""
    for key in keys:
        if whole[key] != killed[key]:
            raise lab.Failure(f"{key} is {killed[key]!r} instead of {whole[key]!r}")
    if attempts < expected:
        raise lab.Failure(f"{attempts} attempts instead of {expected}")
    if whole["verdict"] == killed["verdict"]:
        return
    if attempts == expected or killed["verdict"] == "promote":
        raise lab.Failure(f"the verdict is {killed['verdict']} instead of {whole['verdict']}")


def improve_campaign(number, n_kills, hit, ends):
    draw = random.Random(f"kill {number}")
    operator = draw.choice(("gepa", "bootstrap"))
    model = draw.choice((lab.NOISE, lab.GAIN))
    args = ["improve", "--operator", operator, "--seed", str(number)]
    dev_check = draw.random() < 0.5
    with lab.Project(model, number, dev_check=dev_check) as a, \
         lab.Project(model, number, dev_check=dev_check) as b:
        a.pawl("init")
        b.pawl("init")
        start = time.monotonic()
        whole = a.pawl(*args, codes=(0, 1, 3))
        moment_s = time.monotonic() - start

        def again():
            return ["improve", "--resume", "last"] if b.pawl("log")["runs"] else args

        killed, kills = campaign(b, again, draw, n_kills, moment_s, hit)
        expected, root = (lambda w: (w[0]["attempts"], w[1]["root"]))(Watch(a).look())
        attempts, root_b = (lambda w: (w[0]["attempts"], w[1]["root"]))(Watch(b).look())
        same_end(whole, killed, ("best", "started_from", "evaluations", "candidates"), attempts,
                 expected)
        if len(b.pawl("log")["runs"]) != 1:
            raise lab.Failure("there is more than one run")
        ends["asked again" if attempts > expected else
             "same root" if root == root_b else "another root"] += 1
        return kills


def gate_campaign(number, n_kills, hit, ends):
    """The seed against what replaced it, which says no."""
    draw = random.Random(f"kill gate {number}")
    args = ["gate", "seed"]
    with lab.Project(lab.GAIN, number) as a, lab.Project(lab.GAIN, number) as b:
        for project in (a, b):
            project.pawl("init")
            result = project.improve("gepa", number)
            if result["verdict"] != "promote":
                ends["nothing to test"] += 1
                return 0
        start = time.monotonic()
        whole = a.pawl(*args, codes=(0, 1))
        moment_s = time.monotonic() - start
        killed, kills = campaign(b, lambda: args, draw, n_kills, moment_s, hit)
        attempts = Watch(b).look()[0]["attempts"]
        same_end(whole, killed, ("incumbent", "artifact"), attempts, 2)
        ends["asked again" if attempts > 2 else "same attempt"] += 1
        return kills


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--only", choices=("improve", "gate"))
    args = parser.parse_args()
    hit, ends, failures = Counter(), Counter(), []
    done, number = 0, args.first
    while done < args.kills:
        gate = args.only == "gate" or (args.only is None and number % 3 == 0)
        try:
            one = gate_campaign if gate else improve_campaign
            done += one(number, min(KILLS_EACH, args.kills - done), hit, ends)
        except lab.Failure as failure:
            done += 1
            failures.append(number)
            print(f"campaign {number} ({'gate' if gate else 'improve'}): {failure}", flush=True)
        number += 1
        if number % 10 == 0:
            print(f"{done} kills in {number - args.first} campaigns", flush=True)
    print(f"{done} kills {dict(hit)}; ends {dict(ends)}; {len(failures)} failures {failures or ''}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
