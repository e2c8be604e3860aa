#!/usr/bin/env -S python3 -B
"""quality - the same task, local model and budget: what pawl's operators and the peers' make of it on untouched cases.

For each set, seed and optimiser one run: 40 train and 30 dev cases drawn by the seed, BUDGET evaluations, then the seed program
and the result on the same untouched cases. All use SmolLM2-135M-Instruct from one file: pawl in its own engine, the peers through
llama-server (8 slots), which is why the CPU time counts the server's. pawl also has 40 sealed cases that the others have no use for; `score`
is of the best candidate that the search found, as the peers return it, `in_force` of what the gate let through.

Each run appends one JSON line to --out and is not made again, so that a long table can be made in pieces. --table prints what is
there as Markdown. Needs `make`, bench/setup-peers, and PAWL_SHARED with data/.

    bench/quality.py [--sets a,b] [--seeds N] [--tools pawl/bootstrap,dspy/mipro] [--out FILE] [--table]
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

import llama_server # noqa: E402

BUDGET, N_TRAIN, N_DEV, N_GATE, N_TEST = 120, 40, 30, 40, 60
PAIRS = (("bootstrap", "dspy/bootstrap"), ("mipro", "dspy/mipro"), ("gepa", "gepa/gepa"))
TOOLS = [tool for ours, theirs in PAIRS for tool in (f"pawl/{ours}", theirs)]
# A small model goes on until it is stopped; what writes instructions is held as short for everybody.
PROPOSAL_TOKENS = 200
SETTINGS = {"mipro": [f"proposal_tokens={PROPOSAL_TOKENS}"], "gepa": [f"reflection_tokens={PROPOSAL_TOKENS}"]}
SETS = {
    "sms_spam": ("message", ["spam", "ham"], "Say whether the message is spam or ham."),
    "clinc_domain": ("request", None, "Name the domain of the request."),
    "bbh_boolean_expressions": ("expression", ["True", "False"], "Evaluate the expression."),
    "bbh_sports_understanding": ("question", ["yes", "no"], "Answer the question."),
}


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Task:
    """A set under a seed: tiers that share no case, and cases that no search sees."""

    def __init__(self, data, name, seed):
        self.name, self.seed = name, seed
        self.field, self.labels, self.instruction = SETS[name]
        folder = data / name
        if self.labels is None:
            self.labels = json.loads((folder / "labels.json").read_text())
        cases = read(folder / "train.jsonl") + read(folder / "val.jsonl")
        random.Random(seed).shuffle(cases)
        ends = (N_TRAIN, N_TRAIN + N_DEV, N_TRAIN + N_DEV + N_GATE)
        self.train, self.dev, self.gate = cases[:ends[0]], cases[ends[0]:ends[1]], cases[ends[1]:ends[2]]
        if len(self.gate) < N_GATE:
            raise RuntimeError(f"{name} has {len(cases)} cases to search with, {ends[2]} are wanted")
        self.test = read(folder / "heldout.jsonl")[:N_TEST]


def children_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- pawl -----------------------------------------------------------------------------------------------

CONFIG = """\
name: {name}
seed: {seed}
program: {{signature: "{field} -> label: {labels}", instruction: instruction.md}}
data: {{train: train.jsonl, dev: dev.jsonl, gate: gate.jsonl}}
metric: exact_match
models: {{small: {{backend: llama, model: smollm2-135m}}}}
roles: {{task: small, reflect: small, judge: small}}
"""


class Pawl:
    def __init__(self, task, _server):
        self.home = Path(tempfile.mkdtemp(prefix="pawl-quality."))
        # The cache of weights is the user's; the project is new, so no answer is known.
        self.env = dict(os.environ, XDG_DATA_HOME=str(self.home / "data"), NO_COLOR="1",
                        PAWL_MODELS=os.environ.get("PAWL_MODELS", str(Path.home() / ".local/share/pawl/models")))
        (self.home / "pawl.yaml").write_text(CONFIG.format(
            name=task.name, seed=task.seed, field=task.field, labels=" | ".join(task.labels)))
        (self.home / "instruction.md").write_text(task.instruction + "\n")
        for tier in ("train", "dev", "gate", "test"):
            with open(self.home / f"{tier}.jsonl", "w") as f:
                for case in getattr(task, tier):
                    f.write(json.dumps({k: case[k] for k in ("id", "input", "target")}) + "\n")

    def ask(self, *argv, codes=(0,)):
        done = subprocess.run([str(ROOT / "build/pawl"), *argv, "--json", "--quiet", "-C", str(self.home)], env=self.env,
                              capture_output=True, text=True)
        if done.returncode not in codes:
            raise RuntimeError(f"pawl {argv[0]} gave exit {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}")
        return json.loads(done.stdout)

    def on_test(self, artifact):
        return self.ask("eval", "--cases", str(self.home / "test.jsonl"), "--artifact", artifact)["mean"]

    def run(self, operator, seed):
        self.ask("init")
        cpu_s, start = children_cpu_s(), time.perf_counter()
        told = self.ask("improve", "--operator", operator, "--seed", str(seed), "--force", "--budget", f"evaluations={BUDGET}",
                        *(word for setting in SETTINGS.get(operator, ()) for word in ("--set", setting)), codes=(0, 1))
        spent = {"cpu_s": round(children_cpu_s() - cpu_s, 1), "wall_s": round(time.perf_counter() - start, 1)}
        best = told["best"] or told["started_from"]
        shown = self.ask("show", best)
        return dict(spent, evaluations=told["evaluations"], before=self.on_test("seed"), score=self.on_test(best),
                    in_force=self.on_test("incumbent"), verdict=told["verdict"], dev=told.get("dev"), artifact=shown)

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)


# --- the peers ------------------------------------------------------------------------------------------


class Peer:
    """quality_peer.py in the peers' environment; its LM is the server."""

    def __init__(self, task, server):
        self.server, self.home = server, Path(tempfile.mkdtemp(prefix="pawl-quality."))
        told = {"field": task.field, "labels": task.labels, "instruction": task.instruction, "budget": BUDGET,
                "proposal_tokens": PROPOSAL_TOKENS,
                "url": f"http://127.0.0.1:{server.port}/v1", "seed": task.seed,
                **{tier: getattr(task, tier) for tier in ("train", "dev", "test")}}
        (self.home / "task.json").write_text(json.dumps(told))

    def run(self, operator, _seed):
        python = os.environ.get("PEER_PYTHON", ROOT / "build/peers/venv/bin/python")
        done = subprocess.run([str(python), str(ROOT / "bench/quality_peer.py"), operator, str(self.home / "task.json"),
                               str(self.server.process.pid)], capture_output=True, text=True, cwd=self.home,
                              env=dict(os.environ, DSPY_CACHEDIR=str(self.home / "cache")))
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-600:])
        return json.loads(done.stdout.splitlines()[-1])

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)


# --- all ------------------------------------------------------------------------------------------------


def row_of(name, tools, lines):
    """One line of the table: seeds that every tool of it has, each tool's mean and interval, paired difference of the first two."""
    runs = {tool: {r["seed"]: r for r in lines if r["set"] == name and r["tool"] == tool} for tool in tools}
    seeds = sorted(set.intersection(*(set(r) for r in runs.values())))
    if not seeds:
        return None
    cells = [name, tools[0].split("/")[1], str(len(seeds))]
    for tool in tools:
        chosen = [runs[tool][s] for s in seeds]
        cells += [f"{statistics.mean(r['before'] for r in chosen):.3f} → {statistics.mean(r['score'] for r in chosen):.3f}",
                  f"{statistics.mean(r['evaluations'] for r in chosen):.0f}",
                  f"{statistics.mean(r['wall_s'] for r in chosen):.0f}", f"{statistics.mean(r['cpu_s'] for r in chosen):.0f}"]
    differences = [runs[tools[0]][s]["score"] - runs[tools[1]][s]["score"] for s in seeds]
    spread = statistics.stdev(differences) if len(seeds) > 1 else float("nan")
    t = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}.get(len(seeds), 2.0)
    cells.append(f"{statistics.mean(differences):+.3f} ± {t * spread / len(seeds) ** 0.5:.3f}" if len(seeds) > 1
                 else f"{differences[0]:+.3f}")
    cells.append(f"{statistics.mean(runs[tools[0]][s]['in_force'] for s in seeds):.3f}")
    return "| " + " | ".join(cells) + " |"


def table(lines):
    print("| set | operator | seeds | pawl: before → after | evaluations | wall s | CPU s | peer: before → after | evaluations | wall s "
          "| CPU s | pawl − peer, 95 % | pawl: in force |")
    print("|" + "---|" * 13)
    for name in SETS:
        for ours, theirs in PAIRS:
            row = row_of(name, (f"pawl/{ours}", theirs), lines)
            if row:
                print(row)


def make(args, lines):
    data = Path(os.environ.get("PAWL_SHARED", ROOT.parent / "shared")).resolve() / "data"
    known = {(r["set"], r["seed"], r["tool"]) for r in lines}
    server = llama_server.Server(ROOT / "build/deps/llama-server/llama-server",
                                 str(Path.home() / ".local/share/pawl/models/smollm2-135m.gguf"), context=2048)
    with server, open(args.out, "a") as out:
        for seed in range(1, args.seeds + 1):
            for name in args.sets.split(","):
                for tool in args.tools.split(","):
                    if (name, seed, tool) in known:
                        continue
                    runner = (Pawl if tool.startswith("pawl/") else Peer)(Task(data, name, seed), server)
                    try:
                        line = runner.run(tool.split("/")[1], seed)
                    except (RuntimeError, subprocess.SubprocessError) as error:
                        print(f"{name} {seed} {tool}: {error}", file=sys.stderr)
                        continue
                    finally:
                        runner.close()
                    line = {"set": name, "seed": seed, "tool": tool, "budget": BUDGET, **line}
                    lines.append(line)
                    out.write(json.dumps(line) + "\n")
                    out.flush()
                    print(name, seed, tool, line["before"], line["score"], f"{line['cpu_s']} CPU s", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--out", default=str(ROOT / "build/bench/quality.jsonl"))
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    lines = read(Path(args.out)) if Path(args.out).exists() else []
    if not args.table:
        make(args, lines)
    table(lines)


if __name__ == "__main__":
    main()
