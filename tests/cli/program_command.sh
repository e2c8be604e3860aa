# A program that is a command: it answers, asks the model through us, and whatever it does wrong is a
# failed case. It sees no target, no file but what it was given, and no network.
. "$(dirname "$0")/lib.sh"
mkdir p
careful_model | own_project p 12 20 60
python=$(real_python)
edit p/pawl.yaml '{signature: "question -> answer: yes | no", instruction: answer.md}' \
    "{command: [$python, prog.py], components: {prompt: answer.md, code: prog.py}, timeout_ms: 1500}"
printf 'secret' >p/private.txt

# Good: one ask a case, one line in and out. It answers with all that it received.
cat >p/prog.py <<'P'
import json, os, sys
def say(**line): print(json.dumps(line), flush=True)
seen, prompt, inputs = [], None, {}
for line in sys.stdin:
    seen.append(line)
    m = json.loads(line)
    if "load" in m:
        prompt = open(os.path.join(m["load"]["dir"], "answer.md")).read()
        say(ready=True, parallel=2)
    elif "call" in m:
        say(id=m["id"], output={"answer": m["reply"]["text"], "seen": seen, "environment": dict(os.environ)})
    else:
        say(id=m["id"], ask={"call": "c", "role": "task", "messages": [
            {"role": "system", "content": prompt}, {"role": "user", "content": m["input"]["question"]}]})
P
expect 0 pawl init --json -C p
expect 0 pawl eval --json -C p --per-case scores.jsonl
check 'r["failed"] == 0 and r["n"] == 20 and 0 < r["mean"] < 1'
check 'r["tokens"]["prompt"] > 0 and r["tokens"]["completion"] > 0'
python3 - <<'P' || fail "the program saw what it must not see"
import json
for line in open("scores.jsonl"):
    output = json.loads(line)["output"]
    text = json.dumps(output["seen"])
    assert "question" in text and "target" not in text and "cluster" not in text, text
    assert "PAWL_BIN" not in output["environment"] and "XDG_DATA_HOME" not in output["environment"]
P
cp p/prog.py good.py
# An operator improves it, and the gate certifies it without the network.
pawl improve --json --force -C p >"$work/out" 2>"$work/err"
[ $? -le 1 ] || fail "improve of a command program"
check 'r["verdict"] in ("promote", "no", "none") and r["candidates"] > 1'

# One misdeed a case.
cat >p/prog.py <<'P'
import ctypes, json, os, socket, sys, time
def say(**line): print(json.dumps(line), flush=True)
def opens(path):
    try: open(path).read(1)
    except OSError: return "refused"
    return "opened " + path
def writes(path):
    try: open(path, "w").write("x")
    except OSError: return "refused"
    return "wrote " + path
def connects(family, address):
    try: socket.socket(family, socket.SOCK_STREAM).connect(address)
    except ConnectionRefusedError: return "reached the network"
    except OSError: return "refused"
    return "connected"
def signals():
    try: os.kill(os.getppid(), 0)
    except OSError: return "refused"
    return "could signal its parent"
def others(): # their environments, which may hold keys
    for n in range(1, os.getpid()):
        try: return f"read {len(open(f'/proc/{n}/environ').read())} characters of {n}"
        except OSError: pass
    return "refused"
def traces(): return "refused" if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) else "traced"
project = sys.argv[1].removeprefix('--project=')
for line in sys.stdin:
    m = json.loads(line)
    if "load" in m:
        say(ready=True, parallel=1)
        continue
    if "call" in m:
        say(id=m["id"], error="the reply was: " + json.dumps(m["reply"])[:200])
        continue
    tell = lambda text: say(id=m["id"], output={"answer": text})
    match int(m["id"][1:]) % 100:
        case 0: time.sleep(1000)
        case 1: print("{garbage", flush=True)
        case 2: os._exit(3)
        case 3: os.abort()
        case 4: print("x" * 20_000_000, flush=True)
        case 5: say(id="somebody else", output={"answer": "yes"})
        case 6: say(id=m["id"], error="I cannot")
        case 7: say(id=m["id"], ask={"call": "c", "role": "no-such-role", "messages": []})
        case 8: say(id=m["id"], output=None)
        case 9: tell(opens(project + "/private.txt"))
        case 10: tell(opens(project + "/data/dev.jsonl"))
        case 11: tell(opens(project + "/data/gate.jsonl"))
        case 12: tell(opens("/etc/shadow"))
        case 13: tell(writes(project + "/answer.md"))
        case 14: tell(writes("/tmp/pawl-was-here"))
        case 15: tell(connects(socket.AF_INET, ("127.0.0.1", 9)))
        case 16: tell(connects(socket.AF_UNIX, "/run/nothing"))
        case 17: tell(signals())
        case 18: tell(others())
        case 19: tell(traces())
P
rm -rf p/.pawl "$XDG_DATA_HOME"
edit p/pawl.yaml 'prog.py]' "prog.py, --project=$work/p]"
expect 0 pawl init --json -C p
expect 0 timeout 100 "$PAWL_BIN" eval --json -C p --per-case scores.jsonl
check 'r["mean"] == 0 and r["missing"] == 0 and r["n"] == 20 and r["failed"] >= 9'
python3 - <<'P' || fail "a misdeed without its consequence"
import json
cases = [json.loads(line) for line in open("scores.jsonl")]
words = ["1500 ms", "JSON", "status 3", "signal", "long", "", "I cannot", "role", ""]
for word, case in zip(words, cases):
    assert case["status"] == "failed" and word in case["feedback"], (word, case)
    assert 5 < len(case["feedback"]) < 1000, case
for case in cases[9:]:
    assert case["status"] == "scored" and case["output"]["answer"] == "refused", case
P
grep -q Answer p/answer.md || fail "the program wrote outside its folder"

# A program that is never ready fails each case, and asks for no patience.
for body in 'import time; time.sleep(1000)' 'this is no Python' 'print("{}", flush=True); input()'; do
    echo "$body" >p/prog.py
    rm -rf p/.pawl "$XDG_DATA_HOME"
    expect 0 pawl init --json -C p
    expect 0 timeout 60 "$PAWL_BIN" eval --json -C p --limit 4
    check 'r["failed"] == 4 and r["mean"] == 0'
done

# A plain text is an output too.
sed 's/output={.*$/output="plain " + m["reply"]["text"])/' good.py >p/prog.py
rm -rf p/.pawl "$XDG_DATA_HOME"
expect 0 pawl init --json -C p
expect 0 pawl run -C p '{"question": "Is 12 even?"}'
says 'plain yes'

# Without components there is nothing to improve; the line of the program and what to write.
cp -r p none && rm -rf none/.pawl
sed 's|^program:.*|program: {command: [python3, prog.py]}|' p/pawl.yaml >none/pawl.yaml
expect 2 pawl validate --json -C none
check 'r["error"]["line"] == 2 and "components: {" in r["error"]["hint"]'

# A program in a folder that the sandbox hides, as one of a home folder: where it lies and what to write.
mkdir -p home/bin && cp "$(command -v cat)" home/bin/mycat
sed "s|^program:.*|program: {command: [mycat, prog.py], components: {prog: answer.md}}|" p/pawl.yaml >hidden.yaml
rm -rf hidden && cp -r p hidden && rm -rf hidden/.pawl && cp hidden.yaml hidden/pawl.yaml
expect 0 env PATH="$work/home/bin:$PATH" "$PAWL_BIN" init --json -C hidden
expect 0 pawl doctor --json -C hidden
[ "$(field 'r["sandbox"]["landlock_abi"] > 0')" = True ] || exit 0 # nothing is hidden here
expect 6 env PATH="$work/home/bin:$PATH" "$PAWL_BIN" eval --json -C hidden --limit 2
check '"/home/bin/mycat" in r["error"]["hint"] and "/usr/bin/python3" in r["error"]["hint"] and "read:" in r["error"]["hint"]'
