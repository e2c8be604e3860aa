"""The peers, measured in the same run by scripts that live outside of this repository."""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path


def run(python, scripts, spent, *args, env=None):
    """The JSON line that a script of theirs prints, and what it cost."""
    cpu_s, wall_s, out = spent([python, *args], cwd=scripts, env=env)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{args[0]} printed nothing")
    return json.loads(lines[-1]), cpu_s, wall_s


def measure_gepa(bench, python, scripts, spent):
    cases = (("nothing accepted, in memory", "6000 50 reject 0", None),
             ("nothing accepted, with its checkpoints", "6000 50 reject 1", 1),
             ("all accepted, in memory", "60000 50 accept 0", None))
    for name, args, times in cases:
        runs = bench.repeat(f"gepa, {name}", lambda: run(python, scripts, spent, "bench_gepa.py",
                                                        *args.split())[0], times)
        if runs:
            bench.note(f"peer: gepa {runs[0]['gepa']}, {runs[0]['iters']} iterations, {name}",
                       [r["cpu_s"] for r in runs], "CPU s",
                       detail=f"{runs[0]['metric_calls']} evaluations, in process, no model")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def measure_dspy(bench, python, scripts, spent):
    mock = scripts / "mock" / "mockd"
    if not os.access(mock, os.X_OK):
        bench.skip("peer: dspy.Evaluate", "its mock server is not built")
        return
    port = str(free_port())
    server = subprocess.Popen([mock, "-addr", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        for threads in ("1", "8"):
            runs = bench.repeat("peer: dspy.Evaluate", lambda: run(
                python, scripts, spent, "bench_dspy_eval.py", threads, "2000", "auto",
                env=dict(os.environ, MOCK_PORT=port))[0])
            if runs:
                bench.note(f"peer: dspy {runs[0]['dspy']} Evaluate over HTTP, 2000 cases, "
                           f"{threads} threads", [r["cpu_ms_per_eval"] for r in runs],
                           "CPU ms an evaluation")
    finally:
        server.terminate()
        server.wait()


def measure(bench, spent):
    python, shared = os.environ.get("PEER_PYTHON"), os.environ.get("PAWL_SHARED")
    if not python or not shutil.which(python):
        return bench.skip("the peers", "PEER_PYTHON names no python that has gepa and dspy")
    scripts = Path(shared or ".") / "anchors"
    if not shared or not (scripts / "bench_gepa.py").exists():
        return bench.skip("the peers", "PAWL_SHARED names no folder with their scripts")
    measure_gepa(bench, python, scripts.resolve(), spent)
    measure_dspy(bench, python, scripts.resolve(), spent)
