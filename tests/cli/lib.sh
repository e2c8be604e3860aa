# lib.sh - what the command's tests share. Each test runs in a folder of its own, with its own data
# home, so that no vault of the user's is touched. PAWL_BIN names the command.
set -u
: "${PAWL_BIN:?PAWL_BIN names the pawl command}"
work=$(mktemp -d "${TMPDIR:-/tmp}/pawl-cli.XXXXXX")
trap 'rm -rf "$work"' EXIT
export XDG_DATA_HOME="$work/data" XDG_CACHE_HOME="$work/cache" NO_COLOR=1
cd "$work" || exit 99
pawl() { "$PAWL_BIN" "$@"; }

fail() {
    echo "FAILED: $*" >&2
    [ -s "$work/out" ] && { echo "--- stdout" >&2; tail -n 20 "$work/out" >&2; }
    [ -s "$work/err" ] && { echo "--- stderr" >&2; tail -n 20 "$work/err" >&2; }
    exit 1
}
# expect CODE command...: run, keep stdout in $work/out and stderr in $work/err, check the exit code
expect() {
    wanted=$1
    shift
    "$@" >"$work/out" 2>"$work/err"
    got=$?
    [ "$got" -eq "$wanted" ] || fail "exit $got instead of $wanted: $*"
}
# field EXPR: a Python expression over the JSON object r that is in $work/out
field() { python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/out" "$1"; }
check() { [ "$(field "$1")" = "True" ] || fail "not so: $1"; }
says() { grep -q -- "$1" "$work/err" || grep -q -- "$1" "$work/out" || fail "does not say: $1"; }

# A project whose model answers right with probability 0.60, or 0.85 under a careful instruction.
scripted_project() { # scripted_project DIR
    expect 0 pawl init --json --template scripted -C "$1"
}
