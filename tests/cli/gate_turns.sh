# Who asks the gate while another does waits for its turn, and says so: nothing is written down meanwhile, it
# can be stopped, and it has an end. What the one before it changed is seen.
. "$(dirname "$0")/lib.sh"
mkdir p
# Words of its own for whoever reflects; all of them help, each in another way.
own_project p 20 40 60 <<'L'
function complete(request)
  local last = request.messages[#request.messages].content
  if request.role == "reflect" then
    return "```\nTake care, way " .. math.floor(1e9 * random(request)) .. ".\n```"
  end
  local careful = request.messages[1].content:find("Take care", 1, true)
  local even = tonumber(last:match("%d+")) % 2 == 0
  if random(request) >= (careful and 0.80 or 0.40) then even = not even end
  return even and "yes" or "no"
end
L
expect 0 pawl init --json -C p
answered() { # answered PID...: each of them ended with yes or no
    for pid; do
        wait "$pid"
        code=$?
        [ "$code" -le 1 ] || fail "one has no answer, exit $code: $(cat said.*)"
    done
}
attempts() { pawl status --json -C p >"$work/out" 2>"$work/err" && check "r['attempts'] == $1"; }

# --- two runs at once: each offers, and gets an answer of its own ---
for i in 1 2; do
    pawl improve --json --force -C p --seed $i >"run.$i" 2>"said.$i" &
    eval "pid$i=$!"
done
answered $pid1 $pid2
attempts 2

# --- two questions at once: the second is as if it had been asked alone ---
# Four candidates that nobody has offered.
set -- $(python3 - <<'P'
import json, sqlite3
runs = [json.load(open(f"run.{i}")) for i in (1, 2)]
known = {run[key] for run in runs for key in ("best", "started_from")}
rows = sqlite3.connect("p/.pawl/store/pawl.db").execute("SELECT DISTINCT artifact FROM candidate ORDER BY 1")
print(*[row[0] for row in rows if row[0] not in known][:4])
P
)
[ $# = 4 ] || fail "there are not four other candidates: $*"
pawl gate --json -C p "$1" >gate.1 2>said.1 &
pid1=$!
pawl gate --json -C p "$2" >gate.2 2>said.2 &
answered $pid1 $!
[ "$(cat said.1 said.2 | grep -c 'Another pawl is asking the gate; waiting')" = 1 ] || fail "not one of them waited: $(cat said.*)"
attempts 4
verified p
# The clock of the second began when it was its turn: its answer came as long after as an answer takes.
python3 - <<'P' || fail "the second attempt ran while it waited"
import json
released = [r["body"]["statement"]["released_ms"] for r in map(json.loads, open("verified.jsonl"))
            if r["kind"] == "verdict"]
assert released[-1] - released[-2] >= 2000, released
P

# --- somebody who does not end ---
held() { # the gate is somebody else's until `free`
    : >held
    python3 -c 'import fcntl, os, sys, time
fcntl.flock(os.open("p/.pawl/sealed", os.O_RDONLY), fcntl.LOCK_EX)
print(1, flush=True)
time.sleep(60)' >held &
    holder=$!
    for _ in $(seq 200); do [ -s held ] && return || sleep 0.05; done
    fail "the gate cannot be held"
}
free() { kill "$holder"; wait "$holder" 2>/dev/null; }
# stopped COMMAND...: it waits, is interrupted, and ends with 130
stopped() {
    python3 - "$@" <<'P' >"$work/out" 2>"$work/err" || fail "waiting is not stopped by Ctrl-C"
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_DFL) # a shell's background job ignores it, and so would ours
command = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, text=True)
for line in command.stderr:
    sys.stderr.write(line)
    if '"waiting"' in line:
        command.send_signal(signal.SIGINT)
sys.exit(command.wait(30) != 130)
P
}
expect 0 pawl rollback --json -C p --to seed --reason 'there is something to be found again'
held
expect 0 pawl ledger verify --json -C p
root=$(field 'r["root"]')
expect 6 pawl gate --json -C p "$3" --wait 0
check '"asking the gate" in r["error"]["message"] and "--wait" in r["error"]["hint"]'
# Whoever moves the incumbent would waste the attempt that is under way.
expect 6 pawl promote --json -C p "$3" --reason 'by hand' --wait 0
check '"asking the gate" in r["error"]["message"]'
stopped "$PAWL_BIN" promote --json -C p "$3" --reason 'by hand'
stopped "$PAWL_BIN" gate --json -C p "$3"
expect 0 pawl ledger verify --json -C p
check "r['root'] == '$root'"
attempts 4
# A run waits with its offer, and goes on with it.
stopped "$PAWL_BIN" improve --json --force -C p --seed 3
says 'improve --resume'
attempts 4
free
pawl improve --json --force -C p --resume last >run.3 2>said.3 &
answered $!
cp run.3 "$work/out"
check 'r["attempts"] == 1 and r["resumed_steps"] > 0'
attempts 5

# --- the same question twice at once: one attempt, one answer ---
pawl gate --json -C p "$4" >gate.1 2>said.1 &
pid1=$!
pawl gate --json -C p "$4" >gate.2 2>said.2 &
answered $pid1 $!
cmp -s gate.1 gate.2 || fail "two answers to one question: $(cat gate.1 gate.2)"
attempts 6
verified p
