# The attacks: all that can be made are stopped, and nothing is left of them. That they would succeed
# without a defence is shown in redteam_controls.sh.
. "$(dirname "$0")/lib.sh"
unset PAWL_TEST_SEED
export TMPDIR="$work/tmp"
mkdir "$TMPDIR"
chmod 755 "$work" "$TMPDIR"

nothing_left() { ! ls -d "$TMPDIR"/pawl-redteam* 2>/dev/null || fail "a stage was left in the temporary folder"; }

# Every page is in order, and the 32 are there.
expect 0 pawl redteam --list --json
check '[a["id"] for a in r["attacks"]] == ["A%d" % i for i in range(1, 33)]'
check 'all(a["needs"] or a["held_by"] for a in r["attacks"])'
check 'all(a["control"] for a in r["attacks"] if a["held_by"])'
expect 2 pawl redteam --only A99
says 'redteam --list'
expect 2 pawl redteam --mine --json
check 'r["error"]["code"] == "usage" and "-C" in r["error"]["hint"]'

# All of them, and nothing is left of it.
expect 0 pawl redteam --json
check 'r["failed"] == 0 and r["void"] == 0 and r["prevented"] + r["detected"] + r["skipped"] == 32'
check 'all(a["why"].startswith("needs ") for a in r["attacks"] if a["result"] == "skipped")'
check 'all(len(a["why"]) > 20 for a in r["attacks"])'
cp "$work/out" all
nothing_left
[ ! -e "$XDG_DATA_HOME" ] || fail "the user's data home was touched"
expect 0 pawl redteam --only A5
says 'A5   detected'
says '0 prevented, 1 detected, 0 failed, 0 void, 0 skipped'
[ -x /usr/bin/python3 ] || [ -x /usr/local/bin/python3 ] || skip "no python3, so most attacks and all controls are missing"
# What is skipped where the kernel confines commands is what does not exist yet.
cp all "$work/out"
check '{a["id"] for a in r["attacks"] if a["result"] == "skipped" and "sandbox:" not in a["why"]} == {"A27"}'
