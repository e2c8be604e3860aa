# The vault while it works, seen from outside by its own user: no core, memory locked, no terminal, no
# descriptor and no variable that it does not need; and no sealed text in a file that it keeps.
. "$(dirname "$0")/lib.sh"
[ -d /proc/self/fd ] || skip "there is no /proc"
export SECRET_OF_THE_FRONT=blue-whale OPENAI_API_KEY=grey-seal
careful_model | own_project p 20 20 60
sed -i 's/Is /Of porcupines: is /' p/data/gate.jsonl
expect 0 pawl init --json -C p
cat >better.json <<'J'
{"demos": [], "signature": {"instructions": "Answer well.", "fields": [
  {"prefix": "Question:", "description": ""}, {"prefix": "Answer:", "description": ""}]}}
J
expect 0 pawl import dspy better.json -C p --json
"$PAWL_BIN" gate --json -C p "$(field 'r["artifact"]')" >"$work/out" 2>"$work/err" &
front=$!
cat >look.py <<'P'
import os, sys, time
from pathlib import Path
front, end = int(sys.argv[1]), time.monotonic() + 30

def worker(role):
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            argv = stat.with_name("cmdline").read_text().split("\0")
        except (OSError, IndexError): continue
        if parent == front and argv[1:2] == [role]: return stat.parent

def fds(folder): return {int(f.name): os.readlink(f) for f in (folder / "fd").iterdir()}
# It is hardened once it has obeyed its confinement: from then on it holds the vault's lock.
while True:
    assert time.monotonic() < end, "no vault was seen at work"
    vault, sealed = worker("vault"), worker("sealed")
    try:
        if vault and sealed and any(f.endswith("/busy") for f in fds(vault).values()) and 3 in fds(sealed): break
    except OSError: pass
    time.sleep(0.01)
limits = (vault / "limits").read_text()
assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]], limits
for folder in (vault, sealed):
    held = fds(folder)
    assert {held[fd] for fd in (0, 1, 2)} == {"/dev/null"}, (folder, held)
for fd, name in fds(vault).items():
    known = name == "/dev/null" or name.startswith("socket:") or "/.pawl/sealed" in name or \
        "/vaults/" in name or "/pawl-vault-" in name
    assert known, (fd, name)
environ = (vault / "environ").read_bytes()
assert b"blue-whale" not in environ and b"grey-seal" not in environ, environ
locked = int((vault / "status").read_text().split("VmLck:")[1].split()[0])
print("locked", locked)
P
python3 look.py $front >seen 2>seen.err || fail "$(cat seen.err)"
wait $front
[ $? -le 1 ] || fail "the attempt did not end"
# The sanitizers make mlockall do nothing, and a user may be allowed none.
if [ "$(ulimit -l)" = unlimited ] && ! grep -q __asan_init "$PAWL_WORKER" && ! grep -q __tsan_init "$PAWL_WORKER"; then
    [ "$(cut -d' ' -f2 seen)" -gt 1000 ] || fail "the vault's memory may be swapped: $(cat seen) KiB"
fi
# Who may lock little memory locks at least the keys: an ordinary user with 64 KiB.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && ! grep -q __asan_init "$PAWL_WORKER" && ! grep -q __tsan_init "$PAWL_WORKER"; then
    careful_model | own_project few 20 20 60
    expect 0 cp better.json few
    chmod 755 "$work" && chown -R 65534:65534 few
    nobody() { XDG_DATA_HOME=$work/few/data-home XDG_CACHE_HOME=$work/few/cache HOME=$work/few setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
    if nobody test -x "$PAWL_BIN"; then
        expect 0 nobody "$PAWL_BIN" init --json -C few
        expect 0 nobody "$PAWL_BIN" import dspy few/better.json -C few --json
        id=$(field 'r["artifact"]')
        XDG_DATA_HOME=$work/few/data-home XDG_CACHE_HOME=$work/few/cache HOME=$work/few prlimit --memlock=65536:65536 \
            setpriv --reuid=65534 --regid=65534 --clear-groups "$PAWL_BIN" gate --json -C few "$id" >"$work/out" 2>"$work/err" &
        front=$!
        python3 look.py $front >seen 2>seen.err || fail "as an ordinary user: $(cat seen.err)"
        wait $front
        [ $? -le 1 ] || fail "the attempt of an ordinary user did not end"
        locked=$(cut -d' ' -f2 seen)
        [ "$locked" -ge 8 ] && [ "$locked" -le 64 ] || fail "the keys of an ordinary user's vault may be swapped: $locked KiB locked"
    fi
fi
# Control: the text is in the case file; then nowhere else.
grep -rlq porcupines p/data || fail "the sealed cases have no mark"
kept=$(grep -rl porcupines p/.pawl "$XDG_DATA_HOME" "$XDG_CACHE_HOME" 2>/dev/null)
[ -z "$kept" ] || fail "sealed text in $kept"
