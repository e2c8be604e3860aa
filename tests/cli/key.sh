# Keys of people: made once, kept in a private file outside any project, locked if wanted; their secrets are
# in no output, and what is typed by mistake is not repeated.
. "$(dirname "$0")/lib.sh"
keys=$XDG_DATA_HOME/pawl/keys

expect 0 pawl key list --json
check 'r["keys"] == []'
expect 0 pawl key
says 'pawl key make'
expect 0 pawl key make ann --json
check 'r["name"] == "ann" and len(r["public_key"]) == 64 and r["locked"] is False'
ann=$(field 'r["public_key"]')
[ "$(stat -c %a "$keys/ann")" = 600 ] || fail "others may read a key"
[ "$(stat -c %a "$keys")" = 700 ] || fail "others may look into the folder of keys"
seed=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["seed"])' "$keys/ann")
[ ${#seed} = 64 ] || fail "no seed in the file"

# The public key is the seed's, as another implementation of Ed25519 computes it.
python3 - "$PAWL_SOURCE_DIR/tools/pawl-verify" "$seed" "$ann" <<'P' || fail "the public key is another one's"
import hashlib, importlib.machinery, importlib.util, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pawl_verify", sys.argv[1])
V = importlib.util.module_from_spec(importlib.util.spec_from_loader("pawl_verify", loader))
loader.exec_module(V)
half = hashlib.sha512(bytes.fromhex(sys.argv[2])).digest()[:32]
number = int.from_bytes(half, "little") & (1 << 254) - 8 | 1 << 254
assert V.encode(V.times(number, V.BASE)).hex() == sys.argv[3]
P

# Never replaced; names are plain.
cp "$keys/ann" ann.before
expect 2 pawl key make ann --json
check '"already" in r["error"]["message"]'
cmp -s "$keys/ann" ann.before || fail "a key was replaced"
for name in '' ../ann a/b .hidden Ann 'a b' -- "$(printf 'a%.0s' $(seq 33))"; do
    expect 2 pawl key make "$name"
done
expect 2 pawl key show an --json
check '"ann" in r["error"]["hint"] and r["error"]["code"] == "not_found"'
expect 2 pawl key show
expect 2 pawl key list ann
expect 2 pawl key frob ann
expect 2 pawl key show ann --passphrase

# Locked.
export SECRET='correct horse battery'
expect 0 pawl key make bob --json --passphrase-env SECRET
check 'r["locked"] is True'
grep -q '"locked"' "$keys/bob" || fail "bob's key is not locked"
python3 -c 'import json,sys; k=json.load(open(sys.argv[1])); assert "seed" not in k and len(k["locked"]["seed"]) == 96' "$keys/bob" ||
    fail "the seed of a locked key lies open"
expect 2 pawl key make eve --json --passphrase-env 'correct horse battery' # the passphrase itself, by mistake
grep -q horse "$work/out" "$work/err" && fail "a passphrase was repeated"
SHORT=1234567 expect 2 pawl key make eve --passphrase-env SHORT
expect 2 pawl key make eve --passphrase </dev/null # nobody to ask
expect 0 pawl key list --json
check '[k["name"] for k in r["keys"]] == ["ann", "bob"] and [k["locked"] for k in r["keys"]] == [False, True]'
expect 0 pawl key show bob --json
check 'r["locked"] is True'
grep -q -e "$seed" -e horse "$work/out" "$work/err" && fail "a secret was printed"

# Not readable by others, not damaged.
chmod 644 "$keys/ann"
expect 2 pawl key show ann
says 'chmod 600'
chmod 600 "$keys/ann"
for damage in '' '{}' 'x' "$(sed 's/"kind":"pawl-key"/"kind":"other"/' ann.before)" "$(sed 's/"name":"ann"/"name":"bob"/' ann.before)"; do
    printf '%s' "$damage" >"$keys/ann"
    expect 4 pawl key show ann
done
cp ann.before "$keys/ann"

# Not where an operator could read them.
mkdir -p home/p
: >home/p/pawl.yaml
XDG_DATA_HOME=$work/home/p/.data expect 2 pawl key make ann --json
check '"operators could read them" in r["error"]["message"]'
[ ! -e home/p/.data ] || fail "something was written into the project"

# Typed at a terminal, unseen and twice; the terminal is as it was afterwards.
python3 - "$PAWL_BIN" <<'P' || fail "a passphrase at a terminal"
import os, pty, select, subprocess, sys, termios, time

def dialogue(arguments, answers):
    """(exit code, what the terminal showed, whether it echoes afterwards)"""
    master, slave = pty.openpty()
    child = os.fork()
    if child == 0:
        os.setsid()
        import fcntl
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.close(master)
        os.execv(sys.argv[1], [sys.argv[1], *arguments])
    shown, asked = b"", 0
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([master], [], [], 0.05)[0]:
            try:
                shown += os.read(master, 4096)
            except OSError:
                break
        if asked < len(answers) and shown.count(b": ") > asked:
            time.sleep(0.1)  # until echo is off
            os.write(master, answers[asked])
            asked += 1
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            echoes = bool(termios.tcgetattr(slave)[3] & termios.ECHO)
            while select.select([master], [], [], 0.1)[0]:
                shown += os.read(master, 4096)
            return os.waitstatus_to_exitcode(status), shown.decode(), echoes
    sys.exit(f"no end: {shown}")

make = ["key", "make", "tty", "--passphrase"]
code, shown, echoes = dialogue(make, [b"quietly spoken\n", b"quietly  spoken\n"])
assert code == 2 and "differ" in shown and "spoken" not in shown and echoes, (code, shown)
code, shown, echoes = dialogue(make, [b"\x03"])
assert code == 130 and echoes, (code, shown)
code, shown, echoes = dialogue(make, [b"quietlx\x7fy spoken\n", b"quietly spoken\n"])
assert code == 0 and "locked" in shown and "spoken" not in shown and echoes, (code, shown)
P
expect 0 pawl key show tty --json
check 'r["locked"] is True'
