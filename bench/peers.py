"""pawl beside its peers, in one run on one machine. Each row is a ratio of medians; what is not
installed here is named as not measured. The scripts that drive dspy, gepa and textgrad lie outside
of this repository (PAWL_SHARED/anchors); bench/setup-peers installs the rest."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import llama_server
import projects

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "build" / "peers"
MODEL = "smollm2-135m"
# Its weights: of the layers, used for every token; of the output, which is the table of tokens again,
# used where logits are wanted. Attention comes on top of them (a few percent at 500 tokens).
LAYER_WEIGHTS, OUTPUT_WEIGHTS = 106_203_456, 28_311_552


class Missing(RuntimeError):
    """A peer, or what drives it, is not installed."""


def need(path, what):
    if not path or not Path(path).exists():
        raise Missing(f"{what} is not installed; see bench/setup-peers")
    return str(path)


class Peers:
    def __init__(self, bench, spent):
        self.bench, self.spent = bench, spent
        shared = os.environ.get("PAWL_SHARED")
        self.scripts = Path(shared).resolve() / "anchors" if shared else None
        self.python = os.environ.get("PEER_PYTHON", PEERS / "venv" / "bin" / "python")
        self.mockd = os.environ.get("PEER_MOCK", PEERS / "mockd")
        self.server = ROOT / "build" / "deps" / "llama-server"

    def script(self, name, *args, env=None):
        """The JSON lines that a script of theirs prints."""
        scripts = need(self.scripts, "the folder with the peers' scripts (PAWL_SHARED)")
        python = need(self.python, "a Python with the peers")
        env = dict(os.environ, **(env or {}))
        _, _, out = self.spent([python, str(Path(scripts) / name), *map(str, args)], cwd=scripts,
                               env=env)
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def program(self, name, *args):
        """The JSON lines of a program of ours."""
        path = next((p for p in self.bench.programs if p.name == name), None)
        _, _, out = self.spent([need(path, name), *map(str, args)])
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    @contextmanager
    def mock(self, *options):
        port = llama_server.free_port()
        process = subprocess.Popen([need(self.mockd, "the mock server"), "-addr",
                                    f"127.0.0.1:{port}", *options], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield port
        finally:
            process.terminate()
            process.wait()


# --- a local model --------------------------------------------------------------------------------


def model_file(peers):
    done = subprocess.run([str(peers.bench.pawl), "model", "path", MODEL, "--json"],
                          capture_output=True, text=True)
    path = json.loads(done.stdout).get("path") if done.returncode == 0 else None
    return need(path, f"the model {MODEL} (pawl model pull {MODEL})")


def ask_pawl(peers, n_choices, times, settings=""):
    lines = peers.program("bench_lm_llama", MODEL, times + 1, settings, n_choices)
    return lines[1:] # the first loads the model


def reached(run, most, weight_bytes):
    """(share of the multiply-adds, share of the memory's bytes) that a core could do in the run's CPU time."""
    gmac = (run["computed"] * LAYER_WEIGHTS + run["rows"] * OUTPUT_WEIGHTS) / 1e9
    gb = run["batches"] * (LAYER_WEIGHTS + OUTPUT_WEIGHTS) * weight_bytes / 1e9
    return (gmac / run["cpu_s"] / most["gmac_per_cpu_s"], gb / run["cpu_s"] / most["gb_read_per_cpu_s"])


def ask_server(peers, file, choices, times):
    """{n_choices: [run]} of one server."""
    runs = {n: [] for n in choices}
    with llama_server.Server(need(peers.server / "llama-server", "llama-server"), file) as server:
        server.run(1, 2)
        for time_ in range(times):
            for n in choices:
                runs[n].append(server.run(1000 * (time_ + 1) + n, n))
    return runs


def task(n_choices):
    return f"choice of {n_choices}" if n_choices else "32 tokens of answer"


def note_reached(peers, ours):
    most = peers.program("bench_machine")[0]
    for n, runs in ours.items():
        shares = [reached(run, most, 4) for run in runs]
        name = f"{MODEL}, {task(n)}: share of a core's"
        peers.bench.note(f"{name} {most['gmac_per_cpu_s']:.0f} G multiply-adds/s ({most['multiply_adds']})",
                         [s[0] for s in shares], "", detail="weights in F32; weights alone counted")
        peers.bench.note(f"{name} {most['gb_read_per_cpu_s']:.1f} GB/s read", [s[1] for s in shares], "")


def note_alone(peers):
    """What needs no peer: answers together and one by one, and guesses of what an answer copies."""
    agree = peers.program("bench_lm_llama", MODEL, 1, "", "agree")[0]
    peers.bench.note(f"{MODEL}, {agree['cases']} greedy answers: share that differs together and one by one",
                     [round(1 - agree["equal_share"], 4)], "", 0.01)
    for line in peers.program("bench_lm_llama", MODEL, 1, "", "copy"):
        peers.bench.note(f"{MODEL}, answers that copy, {line['together']} at a time: CPU with guesses",
                         [line["cpu_s"] / line["cpu_s_without"]], "times that without",
                         detail=f"{line['decodes']} and {line['decodes_without']} decodes; "
                                f"equal share {line['equal_share']:g}")


# What is asked of pawl: its default; choices drawn as a grammar draws them, which is what the server is
# asked for; and that in the fastest form of the weights, where the user allows rounding.
WAYS = (("", "", True), ("held", '"scoring":"held"', True), ("held, weights rounded",
        '"scoring":"held","weights":"fast"', False))


def local_model(peers, choices, times):
    """CPU of all cases, against a server on the packaged file and on the same weights in F32."""
    packaged = model_file(peers)
    ours = {(way, n): ask_pawl(peers, n, times, settings)
            for way, settings, _ in WAYS for n in choices if n or way != "held"}
    note_reached(peers, {n: ours["", n] for n in choices})
    note_alone(peers)
    with tempfile.TemporaryDirectory(prefix="pawl-bench.") as folder:
        fast = str(Path(folder) / "f32.gguf")
        quantize = need(peers.server / "llama-quantize", "llama-quantize")
        peers.spent([quantize, "--allow-requantize", packaged, fast, "F32"])
        for name, file, goals in (("the file as packaged", packaged, (5, 10)),
                                  ("the same weights in F32", fast, (2.5, 4))):
            theirs = ask_server(peers, file, choices, times)
            for (way, n), runs in ours.items():
                exact = dict((w, e) for w, _, e in WAYS)[way]
                if not exact and file != packaged:
                    continue
                detail = "completion tokens {} and {}; wall {:.1f} s and {:.1f} s".format(
                    runs[0]["completion_tokens"], theirs[n][0]["completion_tokens"],
                    statistics.median(r["wall_s"] for r in runs),
                    statistics.median(r["wall_s"] for r in theirs[n]))
                peers.bench.versus(f"{MODEL}, 64 cases, {task(n)}{f' ({way})' if way else ''}",
                                   f"llama-server, 8 slots, {name}",
                                   [r["cpu_s"] for r in runs], [r["cpu_s"] for r in theirs[n]],
                                   "CPU s", (goals[1] if n else goals[0]) if exact else None, detail)


# --- loops ------------------------------------------------------------------------------------------


def our_loops(peers, iterations, accepted, times):
    """The runs, journal and store included; resuming them is another line."""
    mode = "accept" if accepted else "reject"
    return [next(line for line in peers.program("bench_loop", iterations, mode)
                 if line["what"] == "run") for _ in range(times)]


def gepa_loops(peers):
    times = peers.bench.repeats
    for accepted, iterations, variants in (
            (False, 992, (("6000 50 reject 0", "in memory", times),
                          ("6000 50 reject 1", "with its checkpoints", 1))),
            (True, 1071, (("60000 50 accept 0", "in memory", times),))):
        name = "all accepted" if accepted else "nothing accepted"
        ours = our_loops(peers, iterations, accepted, times)
        for args, how, n in variants:
            theirs = [peers.script("bench_gepa.py", *args.split())[0] for _ in range(n)]
            goal = 10 if accepted or "check" in how else None
            peers.bench.versus(f"GEPA loop with journal, {iterations} iterations, {name}",
                               f"gepa {theirs[0]['gepa']} {how}", [r["cpu_s"] for r in ours],
                               [r["cpu_s"] for r in theirs], "CPU s", goal,
                               f"{theirs[0]['metric_calls']} evaluations, no model",
                               at_most=3 if accepted else 0.5)
            at = theirs[0].get("iter_ms_at", {}).get("1000")
        if accepted and at:
            select = [line["select_ms"] for line in peers.program("bench_pareto")]
            peers.bench.versus("parent selection, 10,000 candidates x 1,000 cases, the slowest pool",
                               "a whole iteration of gepa at 1,000 candidates x 50", [max(select)],
                               [at], "ms", None, "unequal work: ours is the larger", at_most=1)


def linearity(peers, factor):
    """So many times as many iterations should cost so many times as much."""
    for accepted, iterations in ((False, 992), (True, 1071)):
        name = "all accepted" if accepted else "nothing accepted"
        one = our_loops(peers, iterations, accepted, peers.bench.repeats)
        many = our_loops(peers, factor * iterations, accepted, 1)
        share = many[0]["cpu_s"] / factor / statistics.median(r["cpu_s"] for r in one)
        peers.bench.note(f"loop, {factor} times {iterations} iterations, {name}: CPU per iteration",
                         [share], "times that of the short run", 1.25,
                         f"{many[0]['cpu_s']:.1f} CPU s, {many[0]['peak_mib']:.0f} MiB")


# --- evaluations over HTTP, steps, start ---------------------------------------------------------------


def dspy_evaluate(peers):
    with peers.mock() as port:
        runs = {threads: [peers.script("bench_dspy_eval.py", threads, 2000, "auto",
                                       env={"MOCK_PORT": str(port)})[0]
                          for _ in range(peers.bench.repeats)] for threads in (1, 8)}
    best = min(runs, key=lambda t: statistics.median(r["cpu_ms_per_eval"] for r in runs[t]))
    theirs = runs[best]
    with peers.mock("-content", "42") as port:
        ours = [peers.program("bench_http", 1, f"http://127.0.0.1:{port}/v1")[0]
                for _ in range(peers.bench.repeats)]
    peers.bench.versus("2,000 distinct cases over HTTP",
                       f"dspy {theirs[0]['dspy']} Evaluate, {best} threads (its best)",
                       [r["cpu_ms_per_case"] for r in ours],
                       [r["cpu_ms_per_eval"] for r in theirs], "CPU ms a case", 35, at_most=0.08,
                       detail="{:,.0f} and {:,.0f} evaluations/s".format(
                           statistics.median(r["per_s"] for r in ours),
                           statistics.median(r["evals_per_s"] for r in theirs)))


def textgrad_step(peers):
    answer = "<IMPROVED_VARIABLE>Answer step by step, then give the number.</IMPROVED_VARIABLE>"
    with peers.mock("-content", answer) as port:
        theirs = [peers.script("bench_textgrad.py", 20, 3, "litellm",
                               env={"MOCK_PORT": str(port), "MOCK_PORT_TEXTGRAD": str(port)})[0]
                  for _ in range(peers.bench.repeats)]
        ours = [peers.program("bench_textgrad", 20, f"http://127.0.0.1:{port}/v1")[0]
                for _ in range(peers.bench.repeats)]
    calls = {r["calls_per_step"] for r in ours}, {r["lm_calls_per_step"] for r in theirs}
    if calls != ({13}, {13}):
        raise RuntimeError(f"unequal work: {calls} requests a step")
    peers.bench.versus("a TextGrad-like step, 3 cases", f"textgrad {theirs[0]['textgrad']}",
                       [r["cpu_ms_per_step"] for r in ours],
                       [r["cpu_ms_per_step"] for r in theirs], "CPU ms", 50,
                       "13 requests each, over HTTP to the same server; ours with its journal")


def warm_eval(peers, port):
    """(CPU s, wall s) of `pawl eval` on 1,000 cases that are all in the cache."""
    backend = f'{{backend: openai, model: mock, base_url: "http://127.0.0.1:{port}/v1"}}'
    with projects.Project(projects.PLAIN, 1, dev=1000, model=backend) as project:
        project.init(peers.bench.pawl)
        argv = project.argv(peers.bench.pawl, "eval")
        peers.spent(argv, env=project.env)
        runs = [peers.spent(argv, env=project.env) for _ in range(10)]
        if any(json.loads(out)["cached"] != 1000 for _, _, out in runs):
            raise RuntimeError("the cache was not warm")
        return [run[:2] for run in runs]


def versus_import(peers, name, peer, runs, theirs, at_most):
    """Wall time is what a person waits for; CPU time tells what a busy machine added to it."""
    cpu_ms = 1e3 * statistics.median(cpu_s for cpu_s, _ in runs)
    peers.bench.versus(f"start: {name}", peer, [1e3 * wall_s for _, wall_s in runs], theirs,
                       "ms wall", None, f"CPU {cpu_ms:.1f} ms", at_most)


def start(peers):
    theirs = [1e3 * peers.script("bench_import.py", "dspy")[0]["wall_s"]
              for _ in range(peers.bench.repeats)]
    ours = [peers.spent([peers.bench.pawl, "--version"])[:2] for _ in range(20)]
    versus_import(peers, "pawl --version", "import dspy", ours, theirs, 5)
    with peers.mock("-content", "yes") as port:
        versus_import(peers, "pawl eval, 1,000 cases on a warm cache", "import dspy alone",
                      warm_eval(peers, port), theirs, 50)


# --- all ------------------------------------------------------------------------------------------------


def measure(bench, spent, long):
    peers = Peers(bench, spent)
    rows = [("start", lambda: start(peers)), ("dspy.Evaluate", lambda: dspy_evaluate(peers)),
            ("gepa's loops", lambda: gepa_loops(peers)),
            ("a TextGrad step", lambda: textgrad_step(peers)),
            ("a local model and llama-server", lambda: local_model(peers, (2, 10, 77, 0), 1))]
    if long:
        rows.insert(3, ("100 times the iterations", lambda: linearity(peers, 100)))
    for name, row in rows:
        try:
            row()
        except (OSError, RuntimeError, ValueError, KeyError, IndexError,
                subprocess.SubprocessError) as error:
            bench.skip(name, str(error).strip()[-300:])
