# Why nothing was offered is said as it was: the budget ended before a candidate was tried, none was proposed,
# none was better.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=6
mkdir p
careful_model | own_project p 20 30 60
expect 0 pawl init --json -C p

expect 3 pawl improve --json -C p --operator gepa --budget evaluations=300,minutes=0
check '"ended before a candidate was tried" in r["error"]["message"] and r["ended"] == "no_candidate"'
check 'r["candidates"] == 1 and r["short_of"] == "minutes"'

# Whoever reflects has nothing to say: the evaluations end the search, and nothing was tried.
printf 'function complete(request) if request.role == "reflect" then return "" end return "no" end\n' >p/model.lua
expect 1 pawl improve --json -C p --operator gepa --budget evaluations=200
check 'r["verdict"] == "none" and r["ended"] == "no_candidate" and r["short_of"] == "evaluations"'
expect 1 pawl improve -C p --operator gepa --budget evaluations=200
says 'no candidate was tried'
says 'the budget of evaluations ended the search'
# Iterations end it, not the budget.
expect 1 pawl improve --json -C p --operator gepa --set max_iterations=2 --budget evaluations=500
check 'r["ended"] == "no_candidate" and r["short_of"] is None'

# Candidates that answer alike are tried, and none is better.
cat >p/model.lua <<'L'
function complete(request)
  if request.role == "reflect" then return "```\nSay no, way " .. math.floor(1e9 * random(request)) .. ".\n```" end
  return "no"
end
L
expect 1 pawl improve --json -C p --operator gepa --budget evaluations=300
check 'r["verdict"] == "none" and r["ended"] == "no_nominee" and r["candidates"] > 1'
expect 1 pawl improve -C p --operator gepa --budget evaluations=300
says 'no candidate beat the one in force on dev'
