# Project, key and counter put back together, from one copy: the kernel's keyring still knows the newest count, until
# the machine restarts or somebody takes it away, which the control does. Statements say which it is.
. "$(dirname "$0")/lib.sh"
cat >keys.py <<'P'
import ctypes, hashlib, sys
libc, (add, keyctl) = ctypes.CDLL(None, use_errno=True), {"x86_64": (248, 250), "aarch64": (217, 219)}[__import__("os").uname().machine]
def call(*a): return libc.syscall(*a)
if sys.argv[1] == "probe":
    sys.exit(call(keyctl, 8, -4, -2) != 0) # link the user's keyring, so that what is in it is possessed
call(keyctl, 8, -4, -2)
key = call(keyctl, 10, -4, b"user", b"pawl:vault:" + hashlib.sha256(sys.argv[2].encode()).hexdigest()[:32].encode(), 0)
sys.exit(key <= 0 or call(keyctl, 9, key, -4) != 0) # unlink
P
python3 keys.py probe 2>/dev/null || skip "no kernel keyring here"
careful_model | own_project p 20 20 40
expect 0 pawl init --json -C p
check '"the kernel'"'"'s keyring knows the newest count" in r["custody"]'
vault=$(echo "$XDG_DATA_HOME"/pawl/vaults/*)
cat >one.json <<'J'
{"demos": [], "signature": {"instructions": "Answer well.", "fields": [
  {"prefix": "Question:", "description": ""}, {"prefix": "Answer:", "description": ""}]}}
J
expect 0 pawl import dspy one.json -C p --json
one=$(field 'r["artifact"]')
cp -a p p.old && cp -a "$XDG_DATA_HOME" data.old
pawl gate --json -C p "$one" >"$work/out" 2>"$work/err"
check 'r["attempt"] == 1'
mv p p.new && cp -a p.old p && mv "$XDG_DATA_HOME" data.new && cp -a data.old "$XDG_DATA_HOME"
expect 4 pawl gate --json -C p "$one"
check 'r["error"]["code"] == "integrity" and "keyring a later state with 1" in r["error"]["message"]'
# The newest copy is in order.
rm -rf p "$XDG_DATA_HOME" && cp -a p.new p && cp -a data.new "$XDG_DATA_HOME"
expect 0 pawl status --json -C p
check 'r["attempts"] == 1'
# Control: without the witness nothing is noticed, and nothing claims that it would be.
python3 keys.py unlink "$vault" || fail "there was no key to take away"
rm -rf p "$XDG_DATA_HOME" && cp -a p.old p && cp -a data.old "$XDG_DATA_HOME"
expect 0 pawl status --json -C p
check 'r["attempts"] == 0'
expect 0 pawl init --json -C p
python3 keys.py unlink "$vault" 2>/dev/null
exit 0
