# Ctrl-C pauses a run and says how to go on; a second one ends it at once; no worker is left behind.
. "$(dirname "$0")/lib.sh"
mkdir p
careful_model | sed 's/return even and "yes" or "no"/return {text = even and "yes" or "no", delay_ms = 40}/' |
    own_project p 20 40 120
expect 0 pawl init --json -C p

workers() { # workers of this test: their folder or an open file lies in $work
    for proc in /proc/[0-9]*; do
        [ "$(cat "$proc/comm" 2>/dev/null)" = pawl-worker ] || continue
        ls -l "$proc/cwd" "$proc/fd" 2>/dev/null | grep -q "$work" && echo "${proc#/proc/}"
    done
}
none_left() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -z "$(workers)" ] && return
        sleep 0.25
    done
    fail "left behind: $(workers)"
}
# started ARGS...: an improve run in the background that has begun to evaluate. The shell gives a
# background job an ignored SIGINT, so Python starts it as a terminal would.
started() {
    python3 -c 'import signal,os,sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
        "$PAWL_BIN" improve --json -C p "$@" >"$work/out" 2>"$work/err" &
    pid=$!
    for _ in $(seq 100); do
        [ -n "$(workers)" ] && ls p/.pawl/store/runs/*/journal >/dev/null 2>&1 && sleep 0.7 && return
        kill -0 "$pid" 2>/dev/null || fail "improve ended early"
        sleep 0.1
    done
    fail "improve does not begin"
}
ended() { # ended CODE SECONDS: it does, within the time
    python3 - "$pid" "$2" <<'P' || fail "still running after $2 s"
import os, sys, time
end = time.time() + float(sys.argv[2])
def alive():
    try: return open(f"/proc/{sys.argv[1]}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError: return False
while alive():
    if time.time() > end: sys.exit(1)
    time.sleep(0.02)
P
    wait "$pid"
    code=$?
    [ "$code" -eq "$1" ] || fail "exit $code instead of $1"
}

started --seed 1
kill -INT "$pid"
ended 130 10
says 'improve --resume'
none_left
verified p
expect 0 pawl ledger --json -C p verify
expect 0 pawl log --json -C p
check 'len(r["runs"]) == 1'
run=$(field 'r["runs"][0]["run"]')

# The second Ctrl-C does not wait for anything, and loses nothing that was journaled.
started --resume last
kill -INT "$pid"
sleep 0.05
kill -INT "$pid" 2>/dev/null
ended 130 3
none_left

edit p/model.lua 'delay_ms = 40' 'delay_ms = 0'
pawl improve --json -C p --resume last >"$work/out" 2>"$work/err"
[ $? -le 1 ] || fail "the paused run does not finish"
check "r['run'] == '$run' and r['resumed_steps'] > 0 and r['verdict'] in ('promote', 'no', 'none')"
expect 0 pawl log --json -C p
check 'len(r["runs"]) == 1'
none_left
