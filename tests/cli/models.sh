# What a model may do wrong: nothing, too much, not text, errors, loops. A candidate's failure is data,
# the world's failure has no score and pauses when it is frequent.
. "$(dirname "$0")/lib.sh"
mkdir p
careful_model | own_project p 10 12 60
expect 0 pawl init --json -C p

# One misdeed a case of dev.
cat >p/model.lua <<'L'
local misdeeds = {
  [0] = function() return nil end,
  function() return "" end,
  function() return ("yes "):rep(2500000) end,
  function() return "yes \xff\xfe" end,
  function() error("broken") end,
  function() while true do end end,
  function() return {} end,
  function() return {text = 7} end,
  function() return {text = "yes", prompt_tokens = -5, completion_tokens = 1e300, delay_ms = 0} end,
  function() return true end,
  function() return "maybe" end,
  function() return "yes\0no" end,
}
function complete(request)
  local last = request.messages[2] and request.messages[2].content or ""
  return misdeeds[tonumber(last:match("%d+")) % 100]()
end
L
expect 0 timeout 60 "$PAWL_BIN" eval --json -C p --per-case scores.jsonl
check 'r["n"] == 12 and r["failed"] >= 8 and r["mean"] <= 0.2'
check 'all(0 <= v < 2e9 for v in r["tokens"].values())'
[ "$(wc -c <scores.jsonl)" -lt 1000000 ] || fail "an answer of 10 MB is kept whole"
python3 -c '
import json
for line in open("scores.jsonl", encoding="utf-8"):
    case = json.loads(line)
    assert case["status"] in ("scored", "failed", "missing"), case
    assert case["status"] != "failed" or (case["score"] == 0 and len(case["feedback"]) > 5), case
' || fail "the per-case file"

# The world's failures: 1 of 100 leaves a mean of the others, 10 of 100 pauses and can be resumed.
big() { # big SHARE: missing for SHARE of 300 cases, and wrong in none of the others
    cat >p/model.lua <<L
function complete(request)
  local i = tonumber(request.messages[2].content:match("%d+"))
  if i % 100 < $1 then return {error = "missing"} end
  return i % 2 == 0 and "yes" or "no"
end
L
}
own_project q 10 300 60 </dev/null
cp q/data/dev.jsonl p/cases.jsonl
big 1
expect 0 pawl eval --json -C p --cases p/cases.jsonl --per-case scores.jsonl
check 'r["missing"] == 3 and r["mean"] == 1 and r["failed"] == 0 and r["n"] == 300 and r["ci95"][0] > 0.98'
python3 -c '
import json
cases = [json.loads(l) for l in open("scores.jsonl")]
gone = [c for c in cases if c["status"] == "missing"]
assert len(cases) == 300 and len(gone) == 3 and all(c["score"] is None for c in gone), gone
' || fail "a missing case has a score"
big 10
expect 6 pawl eval --json -C p --cases p/cases.jsonl
check '"30 of 300" in r["error"]["message"] and len(r["error"]["hint"]) > 10'
# Never cached: the next time, the world answers.
big 0
expect 0 pawl eval --json -C p --cases p/cases.jsonl
check 'r["missing"] == 0 and r["n"] == 300 and r["mean"] == 1'

# An improve run pauses, and goes on when the world is well again.
rm -rf p/.pawl "$XDG_DATA_HOME" q
own_project p 20 40 60 </dev/null
ill() { printf 'local ill = %s\n' "$1" >p/model.lua && careful_model | sed 's/^  local skill/  if ill and tonumber(last:match("%d+")) % 10 < 4 then return {error = "missing"} end\n&/' >>p/model.lua; }
ill true
expect 0 pawl init --json -C p
expect 6 pawl improve --json --force -C p
says 'improve --resume'
expect 0 pawl status --json -C p
check 'r["attempts"] == 0 and r["ledger"]["records"] >= 1'
ill false
pawl improve --json --force -C p --resume last >"$work/out" 2>"$work/err"
[ $? -le 1 ] || fail "the run does not go on"
check 'r["verdict"] in ("promote", "no", "none")'
