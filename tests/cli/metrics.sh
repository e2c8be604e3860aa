# A metric of the user's own, as a command or as Lua: whatever it does, a run ends, and a case that it
# cannot score is a failed case with a reason.
. "$(dirname "$0")/lib.sh"
mkdir p
careful_model | own_project p 10 12 60
python=$(real_python)
expect 0 pawl init --json -C p

metric() { sed "s|^metric:.*|metric: $1|; s|PYTHON|$python|" p/pawl.yaml >p/next && mv p/next p/pawl.yaml; }
scored() { # scored METRIC: eval with it ends in time
    metric "$1"
    rm -f scores.jsonl
    expect 0 timeout 60 "$PAWL_BIN" eval --json -C p --per-case scores.jsonl
}
good() { scored "$1" && check 'r["failed"] == 0 and r["n"] == 12 and 0 < r["mean"] < 1'; }
reasons() { # reasons WORD...: the case of each line failed, and its feedback says WORD
    check 'r["mean"] == 0 and r["failed"] == 12 and r["missing"] == 0'
    python3 - "$@" <<'P' || fail "a failed case without its reason"
import json, sys
for word, line in zip(sys.argv[1:], open("scores.jsonl"), strict=True):
    case = json.loads(line)
    assert case["status"] == "failed" and case["score"] == 0, case
    assert word in case["feedback"] and len(case["feedback"]) < 1000, (word, case["feedback"][:1000])
P
}

good exact_match
mean=$(field 'r["mean"]')
cat >p/right.py <<'P'
import sys, json
for line in sys.stdin:
    m = json.loads(line)
    assert set(m) >= {"id", "input", "target", "output"}, m
    right = m["output"]["answer"] == m["target"]["answer"]
    print(json.dumps({"id": m["id"], "score": float(right), "feedback": "even numbers: yes"}), flush=True)
P
good '{command: [PYTHON, right.py]}'
[ "$(field 'r["mean"]')" = "$mean" ] || fail "the command scores otherwise than exact_match"
grep -q 'even numbers' scores.jsonl || fail "the command's feedback is lost"

# One misdeed a case; what comes after must not suffer from what was before.
cat >p/bad.py <<'P'
import json, os, sys, time
for line in sys.stdin:
    m = json.loads(line)
    say = lambda **answer: print(json.dumps(answer), flush=True)
    match int(m["id"][1:]) % 100:
        case 0: time.sleep(1000)
        case 1: print("\x00 garbage {", flush=True)
        case 2: os._exit(3)
        case 3: print("x" * 10_000_000, flush=True)
        case 4: say(id=m["id"], score=1.5)
        case 5: print('{"id": "%s", "score": NaN}' % m["id"], flush=True)
        case 6: say(id="somebody else", score=1)
        case 7: say(id=m["id"], score="high")
        case 8: say(id=m["id"])
        case 9: os.kill(os.getpid(), 11)
        case 10: sys.stdout.buffer.write(b'{"id": "\xff\xfe", "score": 1}\n'); sys.stdout.flush()
        case 11: os.close(1); time.sleep(1000)
P
scored '{command: [PYTHON, bad.py], timeout_ms: 1500}'
reasons 'in time' 'not JSON' 'status 3' over-long 'from 0 to 1' 'not JSON' 'another case' 'from 0 to 1' 'from 0 to 1' \
    signal 'not JSON' ended

# A command that cannot start at all is no candidate's fault.
metric '{command: [no-such-command]}'
pawl eval --json -C p >"$work/out" 2>"$work/err"
case $? in 2 | 6) says no-such-command ;; *) fail "a metric without a command is accepted" ;; esac

cat >p/good.lua <<'L'
function score(case)
  return {score = case.output.answer == case.target.answer and 1 or 0, feedback = "even numbers: yes"}
end
L
good '{lua: good.lua}'
[ "$(field 'r["mean"]')" = "$mean" ] || fail "the Lua metric scores otherwise than exact_match"
grep -q 'even numbers' scores.jsonl || fail "the Lua metric's feedback is lost"

# Aspects of an answer, by name, beside the score that the gate tests; gepa makes fronts of them.
cat >p/named.lua <<'L'
function score(case)
  local right = case.output.answer == case.target.answer
  return {score = right, scores = {right = right, short = #case.output.answer < 3 and 1 or 0.5}}
end
L
good '{lua: named.lua}'
[ "$(field 'r["mean"]')" = "$mean" ] || fail "named scores change the score"
check 'set(r["scores"]) == {"right", "short"} and r["scores"]["right"] == {"mean": r["mean"], "n": 12}'
check '0.5 <= r["scores"]["short"]["mean"] <= 1'
grep -q '"scores":{"right":[01],"short":' scores.jsonl || fail "no named scores of each case"
expect 0 pawl eval -C p
says 'of it right [0-9.]* (n 12), short'
pawl improve --json -C p --operator gepa --set frontier=hybrid --budget evaluations=120 --force >"$work/out" 2>"$work/err"
case $? in 0 | 1) ;; *) fail "gepa makes no fronts of named scores" ;; esac
grep -q '"short"' p/.pawl/store/runs/*/journal || fail "named scores are not in the journal"
metric exact_match
expect 2 pawl improve --json -C p --operator gepa --set frontier=hybrid --budget evaluations=120 --force
says 'named scores'

cat >p/bad.lua <<'L'
local misdeeds = {
  [0] = function() error("broken") end,
  function() return "high" end,
  function() return 7 end,
  function() return nil end,
  function() while true do end end,
  function() return 0 / 0 end,
  function(case) return case.no.such.field end,
  function() local s = "x" while true do s = s .. s end end,
  function(case) return score(case) + 1 end,
  function() return io.open("/etc/passwd") and 1 end,
  function() return os.getenv("HOME") and 1 end,
  function() return {score = -1, feedback = "no"} end,
}
function score(case) return misdeeds[tonumber(case.input.question:match("%d+")) % 100](case) end
L
scored '{lua: bad.lua}'
reasons broken 'neither a number' 'outside 0 to 1' 'neither a number' instructions 'outside 0 to 1' nil memory overflow \
    nil nil 'outside 0 to 1'

# Twelve zeros do not prove that all are zero, whichever metric gave them: Wilson's interval.
printf 'function score() return 0 end\n' >p/zero.lua
scored '{lua: zero.lua}'
check 'r["mean"] == 0 and r["ci95"][0] == 0 and abs(r["ci95"][1] - 0.2425) < 1e-4'
printf 'function score() return 0.5 end\n' >p/half.lua
scored '{lua: half.lua}'
check 'r["mean"] == 0.5 and r["ci95"][0] < 0.4 and r["ci95"][1] > 0.6'

# A person is told where the reasons are.
printf 'function score() return "high" end\n' >p/high.lua
metric '{lua: high.lua}'
expect 0 pawl eval -C p
says 'why cases failed: pawl eval --per-case'
# The field is named once.
expect 2 pawl eval -C p --limit many
says '^pawl: limit must be a whole number'
