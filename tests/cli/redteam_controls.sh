# What makes the red team worth something: the same scripts succeed where nothing confines them.
. "$(dirname "$0")/lib.sh"
unset PAWL_TEST_SEED
export TMPDIR="$work/tmp"
mkdir "$TMPDIR"
chmod 755 "$work" "$TMPDIR"
python=$(real_python)
[ -x /usr/bin/python3 ] || [ -x /usr/local/bin/python3 ] || skip "no python3"

# Positive controls: the same scripts where nothing confines them. At least one attempt of each succeeds.
cases="0 1 2 3 4 5 6 7 8 9"
control() { # control ID FILE...: the answers of the joined files to the cases, a line each
    id=$1
    rm -rf "$work/control"
    expect 0 pawl redteam --only "$id" --write "$work/control"
    dir=$work/control
    shift
    mkdir -p "$dir/.pawl/store" "$dir/.pawl/sealed" "$dir/data/pawl/vaults/v" "$dir/own"
    for file in .pawl/store/pawl.db .pawl/sealed/vault.db data/pawl/vaults/v/key; do echo x >"$dir/$file"; done
    cp "$dir/data/gate.jsonl" "$dir/data/gate.jsonl~"
    (cd "$dir" && cat "$@") >"$dir/own/joined.py"
    {
        echo '{"load": {"components": {}, "dir": "."}}'
        for i in $cases; do
            echo "{\"id\": \"c$i\", \"input\": {\"question\": \"Is $i even?\"}}"
        done
    } >"$dir/own/lines"
    (cd "$dir/own" && OPENAI_API_KEY=pawl-canary-key timeout 60 "$python" -I -S joined.py \
        "--project=$dir" "--data=$dir/data" <lines >answers 2>errors)
}
succeeds() { # succeeds ID WORD: some answer is not `refused`, and one of them says WORD
    control "$1" tools.py attack.py play.py
    grep -v -e refused -e ready "$dir/own/answers" | grep -q -- "$2" ||
        fail "$1 is void: it is refused without a defence: $(cat "$dir/own/answers" "$dir/own/errors")"
}
succeeds A1 'opened to write'
succeeds A2 'found it in'
succeeds A3 '/environ'
succeeds A4 'gate.jsonl~'
succeeds A9 'replace'
cases='0 2' # no bomb of processes
succeeds A11 'took'
cases='0 1'
succeeds A12 'wrote 100 MiB'
succeeds A14 sent
succeeds A15 'found'
succeeds A10 left
survivors=$(pgrep -f "joined.py --project=$dir" || true)
[ -n "$survivors" ] || fail "A10 is void: nobody outlives it without a defence"
# shellcheck disable=SC2086
kill -9 $survivors
# A7: the hook in the grader's own process makes all answers equal.
control A7 hook.py grader.py
echo '{"id": "x", "output": {"answer": "wrong"}, "target": {"answer": "right"}}' >"$dir/own/lines"
(cd "$dir/own" && "$python" joined.py <lines) | grep -q '"score": 1.0' || fail "A7 is void"
