"""Projects to measure: a scripted model, and cases that follow from a seed."""

import json
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

CONFIG = """\
name: bench
seed: {seed}
program: {{signature: "{signature}", instruction: instruction.md}}
data: {{train: train.jsonl, dev: dev.jsonl, gate: gate.jsonl}}
metric: {metric}
models: {{toy: {backend}}}
roles: {{task: toy}}
improve: {{dev_check: false}}
"""

# What one evaluation costs: right or wrong by the number in the question.
PLAIN = {
    "signature": "question -> answer: yes | no",
    "metric": "exact_match",
    "model": """\
function complete(request)
  local number = request.messages[#request.messages].content:match("%d+")
  return number % 2 == 0 and "yes" or "no"
end
"""}

# Every proposal is new, and none is better.
FLAT = {
    "signature": "question -> answer: yes | no",
    "metric": "exact_match",
    "model": """\
function complete(request)
  if request.role ~= "reflect" then return "neither" end
  return "```\\nway " .. math.floor(1e12 * random(request)) .. "\\n```"
end
"""}

# Way K answers K, and more is better: every proposal is the best everywhere.
RISING = {
    "signature": "question -> answer: number",
    "metric": "{lua: score.lua}",
    "model": """\
function complete(request)
  local way = tonumber(request.messages[1].content:match("way (%d+)"))
  if request.role == "reflect" then return "```\\nway " .. way + 1 .. "\\n```" end
  return tostring(way)
end
""",
    "score": "function score(call) return call.output.answer * 1e-7 end\n"}


class Project:
    def __init__(self, kind, seed, train=150, dev=50, gate=300, model=None):
        self.home = Path(tempfile.mkdtemp(prefix="pawl-bench."))
        self.env = dict(os.environ, PAWL_TEST_SEED=str(seed), XDG_DATA_HOME=str(self.home / "data"),
                        XDG_CACHE_HOME=str(self.home / "cache"), NO_COLOR="1")
        backend = model or "{backend: script, file: model.lua}"
        if model:
            del self.env["PAWL_TEST_SEED"] # only where every model is scripted
        files = {"pawl.yaml": CONFIG.format(seed=seed, backend=backend, **kind), "model.lua": kind["model"],
                 "instruction.md": "way 0\n", "score.lua": kind.get("score", "")}
        for name, text in files.items():
            (self.home / name).write_text(text)
        numbers = random.Random(seed).sample(range(10**7, 10**8), train + dev + gate)
        for tier, n in (("train", train), ("dev", dev), ("gate", gate)):
            with open(self.home / f"{tier}.jsonl", "w") as f:
                for number in numbers[:n]:
                    target = 1 if kind is RISING else "no" if number % 2 else "yes"
                    f.write(json.dumps({"id": f"q{number}", "input": f"Is {number} even?",
                                        "target": target}) + "\n")
            del numbers[:n]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home, ignore_errors=True)

    def argv(self, pawl, verb, *args):
        return [str(pawl), verb, "--json", "-C", str(self.home), *args]

    def init(self, pawl):
        done = subprocess.run(self.argv(pawl, "init"), env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"pawl init gave exit {done.returncode}: {done.stdout}{done.stderr}")
