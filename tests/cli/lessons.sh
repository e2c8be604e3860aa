# A program that remembers: lessons of failed train cases become a component, are gated like any other change, say
# where they come from, and a next run that has nothing to teach changes nothing.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=7
mkdir p && cat >p/pawl.yaml <<'Y'
name: shapes
program: {signature: "question -> answer", lessons: on}
data: {file: cases.jsonl}
metric: exact_match
models: {toy: {backend: script, file: model.lua}}
roles: {task: toy}
improve: {operator: reflexion, budget: {evaluations: 3000}}
Y
cat >p/model.lua <<'L'
-- The word of a shape is known where a lesson names it.
function complete(r)
  local last = r.messages[#r.messages].content
  local shape = last:match('shape (%d+)')
  if last:find('A model failed at a task', 1, true) then
    return 'The word of shape ' .. shape .. ' is w' .. shape .. '.'
  end
  if r.messages[1].content:find('word of shape ' .. shape .. ' is', 1, true) then return 'w' .. shape end
  return 'unknown'
end
L
python3 -c '
import json
for i in range(300): print(json.dumps({"id": f"c{i}", "input": f"shape {i % 4}, try {i}", "target": f"w{i % 4}", "cluster": f"k{i}"}))' >p/cases.jsonl
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1
check 'r["verdict"] == "promote" and r["dev"]["seed"] == 0 and r["dev"]["best"] == 1'
expect 0 pawl show --json -C p
check '[c["role"] for c in r["components"]] == ["demos", "instruction", "memory"]'
check 'len({i["text"] for i in json.loads(r["components"][2]["text"])}) == 4'
check 'all(i["from"][0] == "c" and i["tried"] == i["helped"] == 1 and i["ttl"] == 3 for i in json.loads(r["components"][2]["text"]))'
expect 0 pawl run --json -C p 'shape 2, another'
check 'r["output"] == {"answer": "w2"}'
verified p

pawl improve --json -C p --seed 2 >"$work/out" 2>"$work/err"
check 'r["ended"] == "no_nominee" and r["best"] == r["started_from"]'

# Without a memory there is nothing to keep lessons in, and this is said before anything is spent.
edit p/pawl.yaml ', lessons: on' ''
pawl improve --json -C p --seed 3 >"$work/out" 2>"$work/err"
check '"lessons: on" in r["error"]["hint"]'
