# A model judges by a rubric, on the visible tiers and, in a process of its own, on the sealed one: a
# certificate names it, its grades cannot be talked up, and length is guarded.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=3
mkdir p
judge_model() { careful_model | sed '/^function complete/q'; cat <<'L'
  if request.role == "judge" then return grade(request.messages[2].content) end
L
careful_model | sed '1d'; cat <<'L'
-- The last part of that name whose lines carry the mark of the first line.
local function part(text, name)
  local mark = text:match("^=== question (%x+) ===")
  return text:match("=== " .. name .. " " .. mark .. " ===\n(.-)\n=== end of " .. name .. " " .. mark .. " ===")
end
function grade(text)
  local even = tonumber(part(text, "question"):match("%d+")) % 2 == 0
  local right = even and "yes" or "no"
  if part(text, "answer A") then -- prefers what is right, else the left side
    return part(text, "answer B") == right and part(text, "answer A") ~= right and "B" or "A"
  end
  return part(text, "answer") == right and "Grade: 5." or "1"
end
L
}
judge_model | own_project p 60 60 300
printf 'Right answers get 5, wrong ones 1.\n' >p/rubric.md
sed -i 's|^metric: .*|metric: {judge: rubric.md}|; s|^roles: .*|roles: {task: toy, reflect: toy, judge: toy}|' p/pawl.yaml
expect 2 pawl validate --json -C p
says 'A judge likes long answers'
echo 'gate: {guards: [{metric: tokens, margin: 0.5}]}' >>p/pawl.yaml

# Nothing is sealed before the judge orders labelled answers as people did.
labels() { for i in 1 2 3 4 5 6; do
    printf '{"input": {"question": "Is %d even?"}, "output": {"answer": "yes"}, "score": %d}\n' $i $(((i + $1) % 2))
done >p/labelled.jsonl; }
sed -i 's|judge: rubric.md|judge: rubric.md, labelled: labelled.jsonl|' p/pawl.yaml
labels 0
expect 2 pawl init --json -C p
says 'orders 0 % of the pairs'
[ ! -e p/.pawl/sealed ] || fail "sealed all the same"
echo '{"input": 1, "output": "x"}' >>p/labelled.jsonl
expect 2 pawl init --json -C p
says 'has no score'
labels 1
expect 0 pawl init --json -C p
check 'r["judge"]["agreement"] == 1 and r["judge"]["n"] == 6'

expect 0 pawl eval --json -C p --tier train --per-case scores.jsonl
check '0.4 < r["mean"] < 0.8 and r["failed"] == 0'
grep -q 'The judge gave 5 of 5' scores.jsonl || fail "no feedback"
expect 0 pawl improve --json -C p --seed 1
check 'r["verdict"] == "promote"'
expect 0 pawl certificate --json -C p
check 'set(r["models"]) == {"task", "judge"}'
verified p

# Another rubric is another measurement: the stored answer is not given to it.
attempts() { pawl status --json -C p >"$work/out" && field 'r["attempts"]'; }
before=$(attempts)
printf 'Right answers get 5, wrong ones 1. Be strict.\n' >p/rubric.md
pawl gate --json -C p seed >"$work/out" 2>"$work/err"
[ "$(attempts)" -gt "$before" ] || fail "another rubric was answered with the old grades"

# Compared with the target, which is always right: better never, a wrong answer worse.
sed -i 's|judge: rubric.md|judge: rubric.md, against: target|' p/pawl.yaml
expect 0 pawl eval --json -C p
check 'r["failed"] == 0 and 0.3 < r["mean"] < 0.5'

# A judge without a grade fails the case and says so; one that hedges has none.
for said in '"no idea"' '"4 or 5"' '"3/5"' '""'; do
    sed -i "s#^  return part.*#  return $said#" p/model.lua
    sed -i 's|, against: target||' p/pawl.yaml
    expect 0 pawl eval --json -C p --limit 3 --per-case scores.jsonl
    check 'r["failed"] == 3 and r["mean"] == 0'
    grep -q 'gave no grade' scores.jsonl || fail "a failed case without its reason"
done
exit 0
