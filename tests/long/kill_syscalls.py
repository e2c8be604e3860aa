#!/usr/bin/env -S python3 -B
"""kill_syscalls - kill -9 of all processes at each system call of what decides, then look and ask again.

A command is run on the same state again and again, killed at its 1st, 2nd, ... system call, counted
over all of its processes. After each kill: the store opens; one incumbent is in force, the one before
or the one that the command puts in force, and the ledger's last record that moves it says so; the
ledger verifies and has lost nothing; no attempt was refunded. Then the command is run again and ends
as it would have, unless a killed attempt had to be asked again at a stricter level: then the verdict
may only have become worse.

    tests/long/kill_syscalls.py [--changes] [--at-most N] [--seed N] [--only NAME]

--changes leaves out the calls that nobody else could see (see kill_at_call.c). With --at-most N only
that many kills of a command, spread evenly from a place that the seed draws. PAWL_KILL_AT names the
program that kills (default: build/long/long_kill_at_call).
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

import lab

KILL_AT = os.environ.get("PAWL_KILL_AT", str(lab.ROOT / "build" / "long" / "long_kill_at_call"))
KILLED = 137

# Right in 60 of 100 cases, in all under the instruction of an imported artifact.
MODEL = """local function is_right(request, last)
  return request.messages[1].content:find("Take care", 1, true) or random(request) < 0.60
end"""
BETTER = {"demos": [], "signature": {"instructions": "Answer the question. Take care.", "fields": [
    {"prefix": "Question:", "description": ""}, {"prefix": "Answer:", "description": ""}]}}


class Seen:
    """What must hold whenever nothing is running, as it was found."""

    def __init__(self, project):
        status = project.pawl("status")
        ledger = project.pawl("ledger", "verify")
        if not ledger["ok"]:
            raise lab.Failure(f"the ledger does not verify: {ledger}")
        self.incumbent, self.attempts = status["incumbent"], status["attempts"]
        self.records = ledger["records"]
        self.check_in_force(project)

    def check_in_force(self, project):
        """Pointers and ledger, read without pawl."""
        path = project.dir / ".pawl" / "store" / "pawl.db"
        with contextlib.closing(sqlite3.connect(path)) as store:
            pointers = store.execute("SELECT artifact FROM pointer WHERE name = 'incumbent'").fetchall()
            rows = store.execute("SELECT record FROM ledger ORDER BY seq").fetchall()
        said = None
        for (record,) in rows:
            said = moved_to(json.loads(record)) or said
        if pointers != [(self.incumbent,)] or said != self.incumbent:
            raise lab.Failure(f"in force: {self.incumbent}; pointers: {pointers}; ledger: {said}")


def moved_to(record):
    """What a record puts in force, or None."""
    body = record["body"]
    if record["kind"] == "seal":
        return body["seed"]
    if record["kind"] == "verdict" and body.get("promoted"):
        return body["statement"]["candidate"]
    return body["incumbent"] if record["kind"] in ("promotion", "rollback") else None


class Scene:
    """A project in the state in which the command finds it, put back before each kill."""

    def __init__(self, prepare):
        self.project = lab.Project(MODEL, 1, train=20, dev=20, gate=60)
        self.project.pawl("init")
        (self.project.home / "better.json").write_text(json.dumps(BETTER))
        self.better = self.project.pawl("import", "dspy", self.project.home / "better.json")["artifact"]
        self.argv = prepare(self.project, self.better)
        self.places = (self.project.dir / ".pawl", self.project.home / "data")
        self.kept = self.project.home / "kept"
        for i, place in enumerate(self.places):
            shutil.copytree(place, self.kept / str(i))
        self.before = Seen(self.project)

    def put_back(self):
        for i, place in enumerate(self.places):
            shutil.rmtree(place)
            shutil.copytree(self.kept / str(i), place)

    def killed_at(self, n, changes):
        """The report of the run that was killed at call n; 0: not at all."""
        report = self.project.home / "report"
        argv = [KILL_AT, *(["--changes"] if changes else []), str(report), str(n),
                *self.project.argv(*self.argv)]
        done = subprocess.run(argv, env=self.project.env, cwd=self.project.home, text=True,
                              capture_output=True, timeout=lab.DEADLINE_S * 2)
        said = json.loads(report.read_text())
        if done.returncode not in ((KILLED,) if said["killed"] else (0, 1)):
            raise lab.Failure(f"exit {done.returncode}: {done.stdout}{done.stderr}")
        return said


def quarantine(project, better):
    return ["quarantine", better, "--reason", "a test"]


def rollback(project, better):
    project.pawl("promote", better, "--reason", "a test")
    return ["rollback", "--reason", "a test"]


def refusal(project, better):
    project.pawl("promote", better, "--reason", "a test")
    return ["gate", "seed"]


def promotion(project, better):
    return ["gate", better]


COMMANDS = {"ledger append": quarantine, "rollback": rollback, "gate attempt": refusal,
            "promotion": promotion}


def look(scene, after):
    """After a kill: nothing is lost, and the command can still be carried out."""
    found, before = Seen(scene.project), scene.before
    if found.incumbent not in (before.incumbent, after.incumbent):
        raise lab.Failure(f"{found.incumbent} is in force")
    if not before.records <= found.records <= after.records:
        raise lab.Failure(f"the ledger has {found.records} records")
    if not before.attempts <= found.attempts <= after.attempts:
        raise lab.Failure(f"{found.attempts} attempts are spent")
    if found.records < after.records or found.attempts < after.attempts:
        scene.project.pawl(*scene.argv, codes=(0, 1))
    again = Seen(scene.project)
    if again.attempts < max(found.attempts, after.attempts):
        raise lab.Failure(f"attempts went from {found.attempts} to {again.attempts}")
    asked_again = again.attempts > after.attempts
    if again.incumbent != after.incumbent and not (asked_again and again.incumbent == before.incumbent):
        raise lab.Failure(f"carried out again, {again.incumbent} is in force")
    if again.records < after.records:
        raise lab.Failure(f"carried out again, the ledger has {again.records} records")


def moments(n_calls, at_most, draw):
    """All of 1..n_calls, or at most so many, spread evenly."""
    if not at_most or at_most >= n_calls:
        return list(range(1, n_calls + 1))
    first = draw.random()
    return [1 + int((i + first) * n_calls / at_most) for i in range(at_most)]


def campaign(name, args, draw):
    """The number of kills, and the failures."""
    scene, kills, failures = Scene(COMMANDS[name]), 0, []
    with scene.project:
        n_calls = scene.killed_at(0, args.changes)["calls"]
        after = Seen(scene.project)
        for n in moments(n_calls, args.at_most, draw):
            scene.put_back()
            try:
                said = scene.killed_at(n, args.changes)
                kills += said["killed"]
                look(scene, after)
            except (lab.Failure, subprocess.TimeoutExpired) as failure:
                failures.append(n)
                print(f"{name}, call {n}: {failure}", flush=True)
        print(f"{name}: {n_calls} calls, {kills} kills, {len(failures)} failures", flush=True)
    return kills, len(failures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", action="store_true")
    parser.add_argument("--at-most", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=COMMANDS)
    args = parser.parse_args()
    draw, kills, failures = random.Random(f"calls {args.seed}"), 0, 0
    for name in COMMANDS:
        if args.only in (None, name):
            done = campaign(name, args, draw)
            kills, failures = kills + done[0], failures + done[1]
    print(f"{kills} kills, {failures} failures")
    return 1 if failures or not kills else 0


if __name__ == "__main__":
    sys.exit(main())
