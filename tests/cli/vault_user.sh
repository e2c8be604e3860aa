# A user of its own for the vault: made with one command, in a mount namespace with a copy of /etc, so that this
# machine keeps its users. Root's vault then runs as it and keeps its files with it; the certificate says what that is
# worth. What was sealed before stays where it is, and an ordinary user is told the truth.
self=$(realpath "$0")
. "$(dirname "$0")/lib.sh"
if [ "${1-}" != inside ]; then
    [ "$(id -u)" = 0 ] || skip "only root can make a user"
    command -v useradd >/dev/null && command -v setpriv >/dev/null || skip "no useradd or no setpriv here"
    unshare -m true 2>/dev/null || skip "no mount namespaces here"
    trap - EXIT
    cd / && rm -rf "$work"
    exec unshare -m --propagation private sh "$self" inside
fi
mkdir etc && cp -a /etc/. etc 2>/dev/null && touch etc/pawl-test-copy || skip "/etc cannot be copied"
mount --bind "$work/etc" /etc 2>/dev/null || skip "nothing can be mounted here"
mount -t tmpfs tmpfs /var/lib 2>/dev/null || skip "nothing can be mounted here"
[ -e /etc/pawl-test-copy ] && [ ! -e /var/lib/dpkg ] || skip "the namespace is not private"
user=pawl-vault state=/var/lib/pawl-vault
chmod 755 "$work"
careful_model | own_project old 20 30 60
careful_model | own_project p 20 30 60
expect 0 pawl init --json -C old

# Who is not root is told what root would run, and that nothing changes for him.
(export HOME="$work/nobody" XDG_DATA_HOME="$work/nobody" XDG_CACHE_HOME="$work/nobody"
 expect 0 setpriv --reuid=65534 --regid=65534 --clear-groups "$PAWL_BIN" doctor --json -C p --install-vault) || exit 1
check 'r["installed"] is False and len(r["commands"]) == 2 and r["commands"][0].startswith("useradd --system ")'
check '"For yours nothing changes" in r["say"]'
field '"\n".join(r["commands"])' >commands
[ ! -e $state ] && ! id $user >/dev/null 2>&1 || fail "an ordinary user made something"
expect 0 pawl doctor --json -C p
check 'r["vault_user"]["uid"] is None and "--install-vault" in r["vault_user"]["say"]'

# Root runs it: the same two commands. A second time there is nothing to do.
expect 0 pawl doctor --json -C p --install-vault
check 'r["installed"] is True'
field '"\n".join(r["commands"])' | cmp -s - commands || fail "root runs other commands than were said"
[ "$(stat -c '%U %a' $state)" = "$user 700" ] || fail "the folder is $(stat -c '%U %a' $state)"
[ "$(id -u $user)" -lt 1000 ] || fail "no system user"
expect 0 pawl doctor --json -C p --install-vault
check 'r["commands"] == []'

# What is sealed now is kept by it; the process that answers is its.
expect 0 pawl init --json -C p
check 'r["custody"].startswith("own uid, below a root")'
[ "$(stat -c %U p/.pawl/sealed/vault.db)" = $user ] || fail "the store is $(stat -c %U p/.pawl/sealed/vault.db)'s"
[ "$(stat -c '%U %a' $state/vaults/*/key)" = "$user 600" ] || fail "the key is another's"
[ "$(ls "$XDG_DATA_HOME/pawl/vaults" | wc -l)" = 1 ] || fail "a second vault is kept with root"
cat >better.json <<'J'
{"demos": [], "signature": {"instructions": "Answer. Take care.", "fields": [
  {"prefix": "Question:", "description": ""}, {"prefix": "Answer:", "description": ""}]}}
J
expect 0 pawl import dspy better.json -C p --json
"$PAWL_BIN" gate --json -C p "$(field 'r["artifact"]')" >"$work/out" 2>"$work/err" &
front=$!
python3 - $front "$(id -u $user)" <<'P' || fail "the vault did not run as its user"
import sys, time
from pathlib import Path
front, uid, end, seen = int(sys.argv[1]), sys.argv[2], time.monotonic() + 20, set()
def ids(folder, name): return next(l.split()[1:] for l in (folder / "status").read_text().splitlines() if l.startswith(name))
while time.monotonic() < end and uid not in seen:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) != front: continue
            if stat.with_name("cmdline").read_text().split("\0")[1:2] != ["vault"]: continue
            uids, groups = ids(stat.parent, "Uid:"), ids(stat.parent, "Groups:")
        except (OSError, IndexError, StopIteration): continue
        if set(uids) == {uid}: # no way back, and no group of root's
            assert groups == [], groups
            can = int(ids(stat.parent, "CapEff:")[0], 16)
            assert can in (0, 1 << 2), hex(can) # reading, which Landlock bounds
            seen.add(uid)
    time.sleep(0.002)
assert seen, "no vault was seen"
P
wait $front
[ $? -le 1 ] || fail "the attempt did not end"
expect 0 pawl ledger export --json -C p p.jsonl
grep '"verdict"' p.jsonl | grep -q 'own uid, below a root' || fail "the statement does not say it"
expect 0 pawl doctor --json -C p
check "r['vault_user']['uid'] == $(id -u $user)"
verified p
expect 0 pawl data add --json -C p p/data/train.jsonl
pawl init --json -C p --move-cases >"$work/out" 2>"$work/err" || fail "the cases could not be moved"
expect 0 pawl status --json -C p

# What root sealed before stays root's and works; a project of an ordinary user is as it was.
expect 0 pawl status --json -C old
[ "$(stat -c %u old/.pawl/sealed/vault.db)" = 0 ] || fail "an older store changed hands"
expect 0 pawl doctor --json -C old
check 'r["vault_user"]["uid"] is None and "sealed before" in r["vault_user"]["say"]'

# Not taken away while it keeps a vault; then without a trace.
expect 2 pawl doctor --json -C p --uninstall-vault
check '"keeps 1 vaults" in r["error"]["message"]'
rm -rf p/.pawl $state/vaults/*
expect 0 pawl doctor --json -C old --uninstall-vault
check 'r["installed"] is False and len(r["commands"]) == 2'
[ ! -e $state ] && ! id $user >/dev/null 2>&1 || fail "something was left"
