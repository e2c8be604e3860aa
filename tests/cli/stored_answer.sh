# A text that answers dev as another did gets the stored verdict on that one. It is said whose verdict
# it is, that nothing was moved, and what can be done; no attempt is spent.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
mkdir p
# Whoever reflects has words of its own, and all of them mean the same.
own_project p 60 60 200 <<'L'
function complete(request)
  local last = request.messages[#request.messages].content
  if request.role == "reflect" then
    return "```\nTake care, way " .. math.floor(1e9 * random(request)) .. ".\n```"
  end
  local number = tonumber(last:match("%d+"))
  local even = number % 2 == 0
  if number % 10 < 4 and not request.messages[1].content:find("Take care", 1, true) then even = not even end
  return even and "yes" or "no"
end
L
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1
check 'r["verdict"] == "promote" and r["note"] is None'

# A verdict of its own is told as what it is, not as one that was answered before.
expect 0 pawl improve -C p --resume last
says 'is in force instead of'
if grep -q 'answered before' "$work/out"; then fail 'a fresh verdict is called a stored one'; fi
expect 0 pawl improve --json -C p --resume last
judged=$(field 'r["best"]') start=$(field 'r["started_from"]')
expect 0 pawl rollback --json -C p --reason 'ask again'

# Another run finds other words for the same.
expect 1 pawl improve --json -C p --seed 2
check "r['verdict'] == 'no' and r['attempts'] == 0 and r['certificate'] is None"
check "r['best'] != '$judged' and '${judged%"${judged#????????????}"}' in r['note'] and 'pawl promote' in r['note']"
other=$(field 'r["best"]')
expect 1 pawl improve --json -C p --resume last
check "r['verdict'] == 'no' and r['attempts'] == 0"

expect 1 pawl gate --json -C p "$other"
check "r['artifact'] == '$other' and r['judged'] == '$judged' and r['verdict'] == 'promote'"
check "r['certificate'] is None and r['attempt'] == 1 and 'no pointer was moved' in r['note']"
expect 1 pawl gate -C p "$other"
says 'answered before'

# The same text, certified and rolled back.
expect 0 pawl gate --json -C p "$judged"
check "r['judged'] == '$judged' and r['certificate'] == '$judged' and 'puts it back' in r['note']"
expect 0 pawl status --json -C p
check "r['incumbent'] == '$start' and r['attempts'] == 1"
