# With --json a command prints one JSON object with "schema":1 on standard output and nothing else, also
# when it fails; every command's --help has an example; no colour is written to a file.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=8
careful_model | own_project p 15 20 100
mkdir empty
printf '{"id": "x", "score": 1}\n{"id": "y", "score": 0}\n' >scores.jsonl
printf '{"id": "new", "input": {"question": "Is 77777 even?"}, "target": {"answer": "no"}}\n' >new.jsonl

one_object() { # one_object CODE ARGS...
    wanted=$1
    shift
    "$PAWL_BIN" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    case " $wanted " in *" $code "*) ;; *) fail "exit $code instead of $wanted: pawl $*" ;; esac
    python3 - "$work/out" "$code" <<'P' || fail "not one JSON object: pawl $*"
import json, sys
text = open(sys.argv[1], encoding="utf-8").read()
r = json.loads(text, parse_constant=lambda c: sys.exit(f"{c} is no JSON"))
assert isinstance(r, dict) and r["schema"] == 1, r
assert text.endswith("}\n") and text.count("\n") == 1, "more than one line"
if int(sys.argv[2]) > 1:
    error = r["error"]
    assert set(error) >= {"code", "message", "file", "line", "field", "hint"}, error
    assert error["code"] and len(error["message"]) > 10, error
P
    grep -q "$(printf '\033')" "$work/out" "$work/err" && fail "colours: pawl $*"
}

# Before there is a project, in a folder without one, and with words that mean nothing.
verbs='validate doctor plan eval improve gate status log show diff lineage certificate ledger approve'
for verb in $verbs; do
    one_object '0 2' "$verb" --json -C empty
    one_object 2 "$verb" --json -C p --no-such-option
    one_object 2 "$verb" --json -C no-such-folder
done
one_object 2 no-such-verb --json
one_object 2 init --json -C p --template no-such-template
one_object 2 model --json show no-such-model
one_object 2 run --json -C empty text
[ -e empty/.pawl ] && fail "something was written into an empty folder"

one_object 0 init --json -C p
one_object 0 validate --json -C p
one_object 0 doctor --json -C p
check 'r["sandbox_level"] in ("S0", "S1", "S2") and r["threads"] >= 1 and r["problems"] is not None and "custody" in r'
one_object 0 plan --json -C p
one_object 0 data --json -C p add new.jsonl
one_object 0 eval --json -C p
one_object 1 eval --json -C p --fail-under 0.999
one_object '0 1' improve --json -C p --operator bootstrap
one_object '0 1' improve --json -C p
one_object 2 improve --json -C p --operator no-such-operator
one_object 2 improve --json -C p --set no_such_setting=1
one_object 2 improve --json -C p --resume no-such-run
one_object '0 1 2' gate --json -C p seed
one_object 2 gate --json -C p no-such-id
one_object 0 compare --json --scores scores.jsonl scores.jsonl
one_object 0 status --json -C p
one_object 0 log --json -C p
one_object 0 card --json -C p
one_object 0 show --json -C p
one_object 2 show --json -C p ffffff
one_object 0 diff --json -C p
one_object 0 lineage --json -C p
one_object '0 2' certificate --json -C p
one_object 2 promote --json -C p seed
one_object '0 2' promote --json -C p seed --reason test
one_object '0 2' rollback --json -C p --reason test
one_object 0 ledger --json -C p verify
one_object 0 ledger --json -C p export ledger.jsonl
one_object 2 ledger --json -C p bake
one_object 0 model --json list
one_object 0 run --json -C p 'Is 12 even?'
one_object 0 run --json -C p '{"question": "Is 12 even?"}'
one_object 1 run --json -C p '{"no_such_field": 1}'

# Without --json it is for people: still no colour in a file, and errors on standard error only.
unset NO_COLOR
for verb in validate plan eval status log show diff lineage doctor 'ledger verify'; do
    expect 0 pawl $verb -C p
    [ -s "$work/out" ] || fail "pawl $verb says nothing"
    grep -q "$(printf '\033')" "$work/out" "$work/err" && fail "pawl $verb writes colours into a file"
done
expect 2 pawl show -C p ffffff
[ -s "$work/out" ] && fail "an error on standard output"
says ffffff

# On a terminal NO_COLOR is honoured.
terminal() { python3 -c '
import os, pty, sys
with open(sys.argv[1], "wb") as out:
    def read(fd):
        data = os.read(fd, 65536)
        out.write(data)
        return data
    sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read)))' "$work/seen" "$PAWL_BIN" "$@" >"$work/out" 2>"$work/err" </dev/null; }
TERM=xterm NO_COLOR=1 terminal eval -C p || fail "eval on a terminal"
grep -q "$(printf '\033')\[[0-9;]*m" "$work/seen" && fail "NO_COLOR is not honoured"

for verb in $verbs init data promote rollback model run compare; do
    expect 0 pawl "$verb" --help
    says 'Example'
    grep -A 9 '^Example' "$work/out" | grep -q "pawl $verb" || fail "the example of $verb is not one"
done
expect 0 pawl --help
expect 0 pawl --version
