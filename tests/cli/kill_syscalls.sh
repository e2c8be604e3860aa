# Killed at a system call, whichever: the store opens, one incumbent is in force, the ledger verifies, no attempt
# is refunded, and the command can be carried out. Some of the moments that `make kill_syscalls` tries all.
. "$(dirname "$0")/lib.sh"
: "${PAWL_KILL_AT:?PAWL_KILL_AT names the program that kills}"
[ -x "$PAWL_KILL_AT" ] || fail "there is no $PAWL_KILL_AT"
"$PAWL_KILL_AT" report 0 true 2>/dev/null || skip "processes cannot be traced here"
# A leak cannot be looked for while something else traces the process.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
expect 0 python3 -B "$PAWL_SOURCE_DIR/tests/long/kill_syscalls.py" --changes --at-most 2
# How many calls there are depends on the threads' turns: a command may end before the moment comes.
says '^[5-8] kills, 0 failures'
