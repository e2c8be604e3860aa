# A project of another user: that it may not be read is said, not that there is none.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || skip "two users are needed"
scripted_project p
chmod 755 "$work"
as_nobody() { XDG_DATA_HOME=/nowhere setpriv --reuid 65534 --regid 65534 --clear-groups "$PAWL_BIN" "$@"; }
as_nobody --version >/dev/null 2>&1 || skip "the command cannot be run by another user"
expect 6 as_nobody status --json -C p
check '"Permission denied" in r["error"]["message"] and "user" in r["error"]["hint"]'
chmod 600 p/pawl.yaml
expect 6 as_nobody status --json -C p
check '"Permission denied" in r["error"]["message"]'
chmod 700 p
expect 6 as_nobody status --json -C p
check '"Permission denied" in r["error"]["message"]'
chmod 700 . # nor may one see whether it is there
expect 2 as_nobody status --json -C p
check '"Permission denied" in r["error"]["message"] and "template" not in (r["error"]["hint"] or "")'
chmod 755 .
exit 0
