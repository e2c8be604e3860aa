# Progress: JSON lines where nobody watches, one line that is redrawn on a terminal, nothing when asked
# for quiet; what a tick says is true.
. "$(dirname "$0")/lib.sh"

# 10 ms an answer, so that there is something to watch; 7 and 2 tokens each.
slow_model() { cat <<'L'
function complete(request)
  if request.role == "reflect" then return "```\nAnswer, way " .. random(request) .. "\n```" end
  return {text = "yes", delay_ms = 10, prompt_tokens = 7, completion_tokens = 2}
end
L
}
mkdir own
slow_model | own_project own 60 90 60
expect 0 pawl init -C own

# ticks: what went to standard error, as a list t; then a Python expression over it must hold
ticks() { python3 - "$work/err" "$1" <<'P'
import json, sys
t = [json.loads(line) for line in open(sys.argv[1])]
assert eval(sys.argv[2]), (sys.argv[2], t)
P
}

expect 0 pawl eval -C own --json
ticks 'len(t) >= 3 and all(x["phase"] == "evaluate" and x["budget"] == 90 for x in t)' || fail "eval"
ticks '(t[0]["evaluations"], t[0]["eta_s"], t[-1]["evaluations"]) == (0, None, 90)' || fail "its ends"
ticks '[x["evaluations"] for x in t] == sorted(x["evaluations"] for x in t)' || fail "it goes back"
ticks 't[-1]["tokens"] == {"prompt": 630, "completion": 180, "cached": 0}' || fail "its tokens"
ticks 't[-1]["tokens_per_s"] > 0 and t[-1]["usd"] == 0 and t[-1]["eta_s"] == 0' || fail "its rates"
ticks 'any(0 < x["eta_s"] < 60 for x in t[1:-1])' || fail "the time that is left"

# A run counts on while a step is under way.
expect 1 pawl improve -C own --operator bootstrap --budget evaluations=400 --json
ticks '[x for x in t if x["phase"] == "improve" and x.get("evaluations", 0) % 90 > 0]' || fail "improve"
ticks 'all(x["evaluations"] <= x["budget"] == 400 for x in t if "evaluations" in x)' || fail "its budget"
mkdir sealed
careful_model | own_project sealed 60 60 200
expect 0 pawl init -C sealed
expect 0 pawl improve -C sealed --json
expect 1 pawl gate seed -C sealed --json
ticks '[x["eta_s"] for x in t if "release_points" in x]' || fail "the gate says nothing"
ticks 'all(set(x) <= {"phase", "release_points_passed", "release_points", "eta_s"}
           for x in t if x["phase"] == "gate")' || fail "the gate says more than the time"

for verb in eval improve; do
    expect $([ $verb = eval ] && echo 0 || echo 1) pawl $verb -C own --json --quiet
    [ ! -s "$work/err" ] || fail "$verb is not quiet"
done

# terminal ARGS...: standard error is a terminal of 60 columns; what it shows goes to $work/screen
terminal() { python3 - "$work/screen" "$PAWL_BIN" "$@" <<'P'
import fcntl, os, pty, struct, subprocess, sys, termios
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
command = subprocess.Popen(sys.argv[2:], stderr=theirs, stdout=subprocess.DEVNULL,
                           env=dict(os.environ, TERM="xterm"))
os.close(theirs)
shown = b""
try:
    while part := os.read(ours, 65536):
        shown += part
except OSError: # the other end is closed
    pass
open(sys.argv[1], "wb").write(shown)
sys.exit(command.wait())
P
}
# screen EXPR: over the text s and its states l of the line
screen() { python3 - "$work/screen" "$1" <<'P'
import sys
s = open(sys.argv[1], newline="").read()
l = s.split("\r\033[K")
assert eval(sys.argv[2]), (sys.argv[2], s)
P
}
terminal eval -C own --tier train || fail "eval on a terminal"
screen 'len(l) >= 4 and l[-1] == "" and "\n" not in s' || fail "the line is not redrawn and removed"
screen 'all("#" in x for x in l[-3:-1])' || fail "there is no bar"
screen 'max(map(len, l)) < 60 and "60/60" in l[-2]' || fail "the line wraps, or does not end"
screen '"{" not in s and "\033[32m" not in s' || fail "NO_COLOR is not heeded"
unset NO_COLOR
terminal eval -C own --tier train || fail "eval on a terminal"
screen '"\033[32m" in s' || fail "there is no colour"
terminal eval -C own --tier train --quiet || fail "eval on a terminal"
screen 's == ""' || fail "a terminal is not quiet"
