# A program that writes code: its tests are run by the engine on dev and by the vault on sealed cases, both
# confined; the hidden tests reach no prompt and no feedback; several samples give pass@k.
. "$(dirname "$0")/lib.sh"
[ -n "$(real_python)" ] || skip "there is no python3 of the system"
export PAWL_TEST_SEED=4
mkdir p
careful_model | own_project p 8 30 40
cat >p/model.lua <<'L'
function complete(request)
  if request.role == "reflect" then return "```\nAnswer. Take care.\n```" end
  local all = request.messages[1].content .. request.messages[#request.messages].content
  if all:find("HIDDEN", 1, true) then return "LEAKED" end
  local skill = all:find("Take care", 1, true) and 1.0 or 0.5
  local k = request.messages[#request.messages].content:match("adds (%d+)")
  if random(request) >= skill then return "import os\nos._exit(0)" end
  return "```python\ndef add(n):\n    return n + " .. k .. "\n```"
end
L
python3 - <<'P'
import json
for tier in ("train", "dev", "gate"):
    path = f"p/data/{tier}.jsonl"
    rows = [json.loads(line) for line in open(path)]
    with open(path, "w") as f:
        for i, row in enumerate(rows):
            k = int(row["id"][1:])
            tests = f"HIDDEN = {k}\nassert add(1) == 1 + HIDDEN\nassert add(-{k}) == 0"
            f.write(json.dumps({"id": row["id"], "input": {"prompt": f"Write add(n) that adds {k}."},
                                "target": {"tests": tests}}) + "\n")
P
edit p/pawl.yaml 'signature: "question -> answer: yes | no"' 'signature: "prompt -> code"'
edit p/pawl.yaml 'metric: exact_match' 'metric: code_tests'
edit p/pawl.yaml 'evaluations: 600' 'evaluations: 120'
expect 0 pawl init --json -C p
expect 0 pawl eval --json -C p --samples 5 --per-case scores.jsonl
check 'r["metric"] == "code_tests" and r["n"] == 30 and r["missing"] == 0 and r["failed"] == 0'
check '0.2 < r["mean"] < 0.8 and abs(r["pass_at"]["1"] - r["mean"]) < 1e-9'
check 'r["pass_at"]["1"] < r["pass_at"]["2"] < r["pass_at"]["5"]'
grep -q 'process ended' scores.jsonl || fail "no reason for a solution that left"
! grep -q 'HIDDEN\|LEAKED' scores.jsonl || fail "a hidden test was shown"
expect 0 pawl improve --json -C p --seed 1
check 'r["verdict"] == "promote"'
verified p
