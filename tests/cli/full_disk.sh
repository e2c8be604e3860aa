# A full disk is the world's failure: exit 6 and a sentence; with space again, everything goes on.
test=$(realpath "$0")
. "$(dirname "$0")/lib.sh"
if [ -z "${PAWL_TEST_NAMESPACE:-}" ]; then
    unshare -m true 2>/dev/null || skip "a small disk needs a mount namespace, that is root"
    PAWL_TEST_NAMESPACE=1 unshare -m sh "$test"
    exit $?
fi
mkdir "$work/small" && mount -t tmpfs -o size=6m none "$work/small" || skip "no tmpfs can be mounted here"
trap 'cd / && umount "$work/small"; rm -rf "$work"' EXIT
cd "$work/small" || exit 99
export XDG_DATA_HOME="$work/small/data" XDG_CACHE_HOME="$work/small/cache"

fill() { # fill KIB: leave so much
    rm -f filler
    dd if=/dev/zero of=filler bs=1k count=$(($(df -k --output=avail . | tail -n 1) - $1)) 2>"$work/dd" ||
        [ "$1" -eq 0 ] || fail "cannot fill the disk"
}
no_space() { # the error names what is wrong and what to do
    check 'r["error"]["code"] == "world" and len(r["error"]["hint"]) > 10'
    python3 -c 'import json,sys; m = json.load(open(sys.argv[1]))["error"]; m = (m["message"] + m["hint"]).lower()
assert "space" in m or "disk" in m or "full" in m, m' "$work/out" || fail "does not say that the disk is full"
}
careful_model | own_project p 20 40 100

fill 0
expect 6 pawl init --json -C p
no_space
rm filler
expect 0 pawl init --json -C p

fill 0
expect 6 pawl eval --json -C p
no_space
rm filler
expect 0 pawl eval --json -C p
mean=$(field 'r["mean"]')

# The disk fills at a later and later moment of a run.
set -- improve --json -C p --seed 1
failures=0
for room in 0 8 24 48 80 120 180 260; do
    fill "$room"
    pawl "$@" >"$work/out" 2>"$work/err"
    case $? in
    6) no_space ;;
    0 | 1) break ;;
    *) fail "exit $? with $room KiB left" ;;
    esac
    failures=$((failures + 1))
    rm filler
    expect 0 pawl ledger --json -C p verify
    check 'r["ok"]'
    expect 0 pawl log --json -C p
    [ "$(field 'len(r["runs"])')" = 0 ] || set -- improve --json -C p --resume last
done
rm -f filler
[ "$failures" -gt 1 ] || fail "the disk never was too small"
pawl "$@" >"$work/out" 2>"$work/err"
[ $? -le 1 ] || fail "the run does not go on"
check 'r["verdict"] in ("promote", "no", "none")'
expect 0 pawl ledger --json -C p verify
check 'r["ok"]'
expect 0 pawl eval --json -C p --artifact seed
check "r['mean'] == $mean"
