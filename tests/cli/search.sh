# A program that searches: its components, its trace, and the tree that `pawl run --trace` draws.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=7
mkdir p && cat >p/pawl.yaml <<'Y'
name: climb
program: {signature: "question -> answer", strategy: lats, samples: 3, lambda: 0, at_once: 1, exploration: 0,
  check: "function check(call) local x = tonumber(call.output.answer) return x >= 7 or {score = x / 10, feedback = x .. ' is too little.'} end"}
data: {file: cases.jsonl}
metric: exact_match
models: {toy: {backend: script, file: model.lua}}
roles: {task: toy}
improve: {operator: placebo, budget: {evaluations: 100}}
Y
cat >p/model.lua <<'L'
function complete(r)
  local m = r.messages
  if m[#m].content:find('what is wrong with that answer', 1, true) then return 'Go higher.' end
  return tostring((tonumber(m[#m - 1].content) or 0) + r.sample)
end
L
python3 -c '
import json
for i in range(60): print(json.dumps({"id": f"c{i}", "input": f"question {i}", "target": "7"}))' >p/cases.jsonl
expect 0 pawl init --json -C p
expect 0 pawl show --json -C p seed
check '[c["name"] for c in r["components"]] == ["demos", "instruction", "reflect", "retry", "value"]'
check 'all(c["role"] == "instruction" for c in r["components"] if c["name"] != "demos")'
expect 0 pawl run --json -C p 'how much?'
check '"trace" not in r and r["output"] == {"answer": "7"}'
expect 0 pawl run --json --trace -C p 'how much?'
check 'len(r["trace"]) == 15 and r["output"] == {"answer": "7"}'
check '[x["node"]["parent"] for x in r["trace"] if "node" in x] == [0] * 3 + [3] * 3 + [6] * 3 + [9] * 3'
check '[x["module"] for x in r["trace"]].count("reflect") == 3'
expect 0 pawl run --trace -C p 'how much?'
grep -q '^  3  value 0\.[0-9]*, visits [0-9]*, check 0\.20: 2$' "$work/out" || fail "no tree: $(cat "$work/out")"
grep -q '^        11  .*check 1\.00, taken: 7$' "$work/out" || fail "the answer is not marked in the tree: $(cat "$work/out")"

# Another tool has no place for what the strategy says beside the instruction, and this is said.
expect 0 pawl export --json -C p dspy --id seed --file prompt.json
check 'sorted(r["left_out"]) == ["reflect", "retry", "value"]'
