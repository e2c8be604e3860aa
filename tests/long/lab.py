"""What the long checks share: projects with a scripted model in folders of their own, the command,
and exact binomial intervals. PAWL_BIN names the command (default: build/pawl)."""

import json
import math
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = os.environ.get("PAWL_BIN", str(ROOT / "build" / "pawl"))
DEADLINE_S = 120

CONFIG = """\
name: long
seed: {seed}
program: {{signature: "question -> answer: yes | no", instruction: instruction.md}}
data: {{train: train.jsonl, dev: dev.jsonl, gate: gate.jsonl}}
metric: exact_match
models: {{toy: {{backend: script, file: model.lua}}}}
roles: {{task: toy}}
improve: {{operator: gepa, budget: {{evaluations: 2000}}, dev_check: {dev_check}}}
gate: {{alpha: 0.05}}
"""

# A task call counts one prompt token and a reflection none, so that the tokens of a run are a meter
# of evaluations that pawl does not read itself. `is_right` says what a model can do.
MODEL = """\
%s
function complete(request)
  if request.role == "reflect" then
    local number = math.floor(1e9 * random(request))
    return {text = string.format("```\\nAnswer the question, way %%d.%%s\\n```", number,
                                 random(request, "care") < 0.3 and " Take care." or ""),
            prompt_tokens = 0}
  end
  local last = request.messages[#request.messages].content
  local is_even = tonumber(last:match("%%d+")) %% 2 == 0
  local says_even = is_even == is_right(request, last)
  return {text = says_even and "yes" or "no", prompt_tokens = 1}
end
"""

# Every candidate is right in 60 of 100 cases, each in others.
NOISE = "local function is_right(request) return random(request) < 0.60 end"

# Right below 0.60 of a number that the case carries; a candidate that takes care, or shows a round
# number, wins from 0.60 to 0.80 and loses from 0.55 to 0.60. All other candidates answer alike.
GAIN = """\
local function is_good(messages)
  if messages[1].content:find("Take care", 1, true) then return true end
  for i = 1, #messages - 1 do
    if messages[i].role == "user" and messages[i].content:match("^Is %d+0 even") then return true end
  end
  return false
end
local function is_right(request, last)
  local u = tonumber(last:match("%d+%.%d+"))
  if is_good(request.messages) then return u < 0.55 or (u >= 0.60 and u < 0.80) end
  return u < 0.60
end"""


class Failure(Exception):
    pass


class Project:
    """A folder with its own data home. Secrets, model and cases follow from `seed` alone."""

    def __init__(self, model, seed, train=150, dev=50, gate=300, dev_check=False):
        self.home = Path(tempfile.mkdtemp(prefix="pawl-long."))
        self.dir = self.home / "project"
        self.dir.mkdir()
        self.env = dict(os.environ, PAWL_TEST_SEED=str(seed), XDG_DATA_HOME=str(self.home / "data"),
                        XDG_CACHE_HOME=str(self.home / "cache"), NO_COLOR="1")
        config = CONFIG.format(seed=seed, dev_check=str(dev_check).lower())
        (self.dir / "pawl.yaml").write_text(config)
        (self.dir / "model.lua").write_text(MODEL % model)
        (self.dir / "instruction.md").write_text("Answer the question.\n")
        draw = random.Random(f"cases {seed}")
        numbers = draw.sample(range(1, 10**7), train + dev + gate)
        for tier, n in (("train", train), ("dev", dev), ("gate", gate)):
            with open(self.dir / f"{tier}.jsonl", "w") as f:
                for number in numbers[:n]:
                    line = {"id": f"q{number}", "input": f"Is {number} even? {draw.random():.9f}",
                            "target": "no" if number % 2 else "yes"}
                    f.write(json.dumps(line) + "\n")
            del numbers[:n]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home, ignore_errors=True)

    def argv(self, verb, *args):
        return [BIN, verb, "--json", "-C", str(self.dir), *map(str, args)]

    def start(self, verb, *args):
        return subprocess.Popen(self.argv(verb, *args), env=self.env, cwd=self.home, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def pawl(self, verb, *args, codes=(0,)):
        """The JSON object that the command printed. Another exit code than those is a Failure."""
        process = self.start(verb, *args)
        try:
            out, err = process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(f"{verb} {args} did not end within {DEADLINE_S} s")
        if process.returncode not in codes:
            raise Failure(f"{verb} {args} gave exit {process.returncode}: {out}{err}")
        result = json.loads(out)
        result["exit"] = process.returncode
        return result

    def improve(self, operator, seed, *args):
        """A whole run: promoted (0), not promoted (1), or no offer for want of budget (3)."""
        return self.pawl("improve", "--operator", operator, "--seed", seed, *args, codes=(0, 1, 3))


def _tail(k, n, p):
    """P(X >= k) of a binomial."""
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


def _solve(f, target):
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < target else (low, middle)
    return low


def clopper_pearson(k, n, alpha=0.05):
    low = 0.0 if k == 0 else _solve(lambda p: _tail(k, n, p), alpha / 2)
    high = 1.0 if k == n else _solve(lambda p: _tail(k + 1, n, p), 1 - alpha / 2)
    return low, high
