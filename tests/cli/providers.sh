# A remote provider would see sealed prompts: a person agrees to each by name, the ledger and certificates say
# so, and an attempt with another one is refused before it is counted. The providers here are names that do
# not exist; a proxy on this machine answers for them.
. "$(dirname "$0")/lib.sh"
cat >server.py <<'P'
import hashlib, http.server, json, re, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages = request["messages"]
        last, text = messages[-1]["content"], json.dumps(messages)
        if "Is " not in last or "instruction" in last.lower():
            answer = "```\nAnswer. Take care: check the number.\n```"
        else:
            even = int(re.findall(r"\d+", last)[-1]) % 2 == 0
            luck = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
            answer = "yes" if (luck < (0.95 if "Take care" in text else 0.5)) == even else "no"
        body = json.dumps({"choices": [{"message": {"content": answer}, "finish_reason": "stop"}],
                           "usage": {"prompt_tokens": 9, "completion_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
P
mkfifo port
python3 server.py >port &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
read -r port <port
export http_proxy="http://127.0.0.1:$port"
careful_model | own_project p 20 30 120
remote() { sed -i "s|toy: {.*}|toy: {backend: openai, model: m, base_url: \"http://$1/v1\"}|" p/pawl.yaml; }
sed -i 's|models: {toy: {backend: script, file: model.lua}}|models:\n  toy: {}|' p/pawl.yaml
remote one.example.invalid:8000

# Nobody is there to agree: nothing is written.
for i in 1 2; do
    expect 2 pawl init --json -C p
    check 'r["error"]["code"] == "usage" and "one.example.invalid:8000 (task, reflect, judge)" in r["error"]["message"]'
    check '"--allow-remote" in r["error"]["hint"]'
    [ ! -e p/.pawl ] && [ ! -e "$XDG_DATA_HOME/pawl/vaults" ] || fail "something was written"
done
# A person is asked, and may say no.
answer() { # answer WORD: pawl init at a terminal where somebody types it
    python3 - "$1" <<'P'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(os.environ["PAWL_BIN"], ["pawl", "init", "-C", "p"])
seen = b""
while b"[y/N]" not in seen:
    try:
        seen += os.read(fd, 4096)
    except OSError:
        break
os.write(fd, sys.argv[1].encode() + b"\n")
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    seen += piece
print(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
}
expect 2 answer n
says 'one.example.invalid:8000'
[ ! -e p/.pawl ] || fail "a no was not heard"
expect 0 answer y
says 'Agree'
expect 0 pawl init --json -C p # agreed to already
records() { expect 0 pawl ledger export --json -C p ledger.jsonl; cut -d '"' -f 4 ledger.jsonl >/dev/null; }
records
python3 -c '
import json
seal = json.loads(open("ledger.jsonl").readline())
assert seal["kind"] == "seal", seal
assert seal["body"]["providers"] == [{"provider": "one.example.invalid:8000", "roles": ["task", "reflect", "judge"]}], seal
' || fail "the seal does not name the provider"

# The certificate names it.
expect 0 pawl improve --json -C p --seed 1 --budget evaluations=400
first=$(field 'r["best"]')
expect 0 pawl certificate --json -C p
check '[p["provider"] for p in r["providers"]] == ["one.example.invalid:8000"]'
check '"timing_channel" not in r'
check 'r["case_copies"] == {"found": [], "complete": True}'

# Another provider since: no search, no attempt; the ledger stays as it is.
remote two.example.invalid
expect 0 pawl status --json -C p
before=$(cat "$work/out")
expect 2 pawl improve --json -C p --seed 2
check '"two.example.invalid" in r["error"]["message"] and "one." not in r["error"]["message"]'
expect 2 pawl gate --json -C p seed
check '"two.example.invalid" in r["error"]["message"] and "--allow-remote" in r["error"]["hint"]'
expect 2 pawl init --json -C p
expect 0 pawl status --json -C p
[ "$before" = "$(cat "$work/out")" ] || fail "a refused attempt left something"
# The environment may bring one in, too.
sed -i 's|, base_url: "[^"]*"||; s|model: m|&, key_env: TEST_KEY|' p/pawl.yaml
export TEST_KEY=0123456789
(OPENAI_BASE_URL=http://three.example.invalid/v1; export OPENAI_BASE_URL; expect 2 pawl improve --json -C p --seed 2; says three.example.invalid) || exit 1
remote two.example.invalid
expect 0 pawl init --json --allow-remote -C p
records
[ "$(grep -c '"kind":"consent"' ledger.jsonl)" = 1 ] || fail "the consent is not recorded"
expect 0 pawl init --json --allow-remote -C p
expect 0 pawl init --json -C p
records
[ "$(grep -c '"kind":"consent"' ledger.jsonl)" = 1 ] || fail "the consent is recorded twice"
expect 1 pawl gate --json -C p seed
check 'r["attempt"] == 2'
verified p
expect 0 pawl ledger verify --json -C p

# A server on this machine is no provider. But operators ask the same one, and can time it: that is said before, and on
# the certificate, in words, as JSON, and on the page.
unset http_proxy
remote "127.0.0.1:$port"
rm -rf p/.pawl
expect 0 pawl init --json -C p --again
check 'r["timing_channel"].startswith("open: the model server on this machine (task, judge)")'
expect 0 pawl plan --json -C p
check 'r["timing_channel"].startswith("open: ")'
expect 0 pawl plan -C p
says 'timing channel open: '
cat >better.json <<'J'
{"demos": [], "signature": {"instructions": "Answer. Take care.", "fields": [
  {"prefix": "Question:", "description": ""}, {"prefix": "Answer:", "description": ""}]}}
J
expect 0 pawl import dspy better.json -C p --json
expect 0 pawl gate --json -C p "$(field 'r["artifact"]')"
verified p
expect 0 pawl certificate --json -C p
check 'r["timing_channel"].startswith("open: the model server on this machine (task, judge)") and r["providers"] == []'
expect 0 pawl certificate -C p
says 'timing_channel *open: '
if node=$(command -v node) && "$node" -e 'process.exit(typeof structuredClone === "function" && crypto.webcrypto ? 0 : 1)'; then
    expect 0 pawl certificate --json -C p --html p.html
    expect 0 "$node" "$PAWL_SOURCE_DIR/tests/cli/page_run.js" p.html
    check 'r["word"] == "committed" and "may learn from how long it takes" in r["text"]'
fi
# A model of our own process is each process's own.
edit p/pawl.yaml "$(grep '  toy:' p/pawl.yaml)" '  toy: {backend: script, file: model.lua}'
expect 0 pawl plan --json -C p
check 'r["timing_channel"] is None'
