# The certificate as a page: a browser's script engine, without the drawing, finds it committed while the evidence
# is sealed and recomputes it once it is open, for each look and unit; it says exactly what is wrong with an altered
# one; nothing that a candidate or a case says becomes markup or script.
. "$(dirname "$0")/lib.sh"
root=${PAWL_SOURCE_DIR:?PAWL_SOURCE_DIR names the source}
export PAWL_TEST_SEED=4
node=$(command -v node || command -v nodejs) || skip "there is no node to run the page's script"
"$node" -e 'process.exit(typeof structuredClone === "function" && crypto.webcrypto ? 0 : 1)' ||
    skip "this node is too old to stand in for a browser: $("$node" --version)"
opened() { # opened WORD PAGE [--no-ed25519]: what the page says of itself
    word=$1
    shift
    expect 0 "$node" "$root/tests/cli/page_run.js" "$@"
    check "r[\"word\"] == \"$word\""
}
holds() { check "all(state == 'holds' for state, what, why in r['checks']) and len(r['checks']) == $1"; }

# A model whose instruction is as nasty as a text can be.
nasty='</script><script>alert(1)</script><img src=x onerror=alert(2)>\&amp;<!--' # as sed wants it
careful_model | sed "s|check the number|check the number $nasty|" | own_project p 20 40 300
sed -i 's|"q\([0-9]*\)"|"q\1<b>\&lt;"|' p/data/gate.jsonl
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1
check 'r["verdict"] == "promote"'
expect 0 pawl certificate --json -C p --html p.html
check 'r["html"] == "p.html"'
opened committed p.html
holds 6
check '"The scores are sealed" in r["text"] and "onerror=alert(2)>&amp;" in r["text"]'
expect 0 pawl certificate --json -C p --audit --html p.html
opened recomputed p.html
holds 9
check '"p = " in r["text"] and "cases better" in r["text"]'
check 'set(r["tags"]) <= {"section","h2","h3","h4","p","dl","dt","dd","ul","li","span","strong","figure","figcaption","svg","line","polyline","div","pre","code"}'
grep -q 'alert(1)</script>' p.html && fail "a candidate's text is markup in the page"
[ "$(grep -c '<script' p.html)" = 2 ] || fail "the page has other than two lines with a script"
expect 2 pawl certificate --json -C p --html p/pawl.yaml
says 'Nothing is written'

# Without Ed25519 in the browser the rest is still checked, and the page says what is not.
opened recomputed p.html --no-ed25519
check 'r["checks"][1][0] == "unknown" and "this browser has no Ed25519" in r["text"]'

# The other looks, units and policies; a certificate that has attempts before it.
page_of() { # page_of NAME ID
    expect 0 pawl certificate --json -C "$1" "$2" --html "$1.html"
    opened committed "$1.html"
    holds 6
    expect 0 pawl certificate --json -C "$1" "$2" --audit --html "$1.html"
    opened recomputed "$1.html"
    holds 9
}
several_attempts s strict sequential
page_of s "$best"
grep -Eq '(src|href)=|url\(|@import|fetch\(' s.html && fail "the page loads something"
check '"E = " in r["text"] and "polyline" in r["tags"]'
several_attempts e e-lond sequential clusters
check 'r["verdict"] == "promote"'
page_of e incumbent
check '"attempts before it" in str(r["checks"][1]) and "Attempt 3" in str(r["checks"][2])'
several_attempts f per-decision fixed clusters
page_of f "$best"

# Each of these lies is named.
python3 - <<'P'
import json
def page(name):
    text = open(name + ".html", encoding="utf-8").read()
    head, rest = text.split('id="data">')
    data, tail = rest.split("</script>", 1)
    return head + 'id="data">', json.loads(data), "</script>" + tail
lies = []
def lie(name, expected, change):
    head, data, tail = page(name)
    change(data)
    number = len(lies)
    open(f"lie.{number}.html", "w", encoding="utf-8").write(head + json.dumps(data).replace("<", "\\u003c") + tail)
    lies.append(expected)
def digit(text): return ("1" if text[0] == "0" else "0") + text[1:]
def first(d): return d["evidence"][0]
def cases(d): return first(d)["evidence"]["cases"]
for name in "pse":
    lie(name, "signature does not fit", lambda d: d["statement"].update(custody="perfect"))
    lie(name, "signature does not fit", lambda d: d.update(signature=digit(d["signature"])))
    lie(name, "signature does not fit", lambda d: d["statement"].update(candidate=digit(d["statement"]["candidate"])))
    lie(name, "signature does not fit", lambda d: d["statement"].update(log_histories=99))
    lie(name, "not promoted", lambda d: d["statement"].update(verdict="no"))
    lie(name, "reciprocal", lambda d: d["statement"].update(level=0.5))
    lie(name, "no custody", lambda d: d["statement"].pop("custody"))
    lie(name, "lowercase hex", lambda d: d.update(signature="zz"))
    lie(name, "texts shown here are not those of the candidate",
        lambda d: next(iter(d["artifacts"]["candidate"]["components"].values())).update(text="Be kind."))
    lie(name, "texts shown here are not those of the incumbent",
        lambda d: next(iter(d["artifacts"]["incumbent"]["components"].values())).update(text="Be rude."))
    lie(name, "state of the evidence", lambda d: d.update(evidence_state="committed"))
    lie(name, "not the one that the vault committed to", lambda d: cases(d)[0].update(candidate=1 - cases(d)[0]["candidate"]))
    lie(name, "not the one that the vault committed to", lambda d: cases(d).pop())
    lie(name, "not the one that the vault committed to", lambda d: first(d).update(salt=digit(first(d)["salt"])))
    lie(name, "not there once", lambda d: d["evidence"].append(first(d)))
    lie(name, "opened cases are not the sealed ones", lambda d: d["sealed"][0]["case"].update(target="maybe"))
    lie(name, "opened cases are not the sealed ones", lambda d: d["sealed"].reverse())
    lie(name, "fewer cases", lambda d: d["sealed"].pop())
    lie(name, "does not come before", lambda d: d["history"].append({"statement": d["statement"], "signature": d["signature"]}))
lie("e", "not the one that the", lambda d: d.update(before=-1))
lie("e", "signature of attempt", lambda d: d["history"][0]["statement"].update(custody="perfect"))
lie("e", "not the one that the", lambda d: d.update(before=1, history=d["history"][1:]))
json.dump(lies, open("lies", "w"))
P
n=$(python3 -c 'import json; print(len(json.load(open("lies"))))')
[ "$n" -ge 50 ] || fail "only $n lies"
for i in $(seq 0 $((n - 1))); do
    opened wrong "lie.$i.html"
    check "json.load(open('lies'))[$i] in [why for state, what, why in r['checks'] if state == 'wrong'][0]"
done

# A liar who has the key of the vault cannot make the verdict follow from scores that deny it: what stands behind the
# signature is checked as well. Here no browser offers Ed25519, so the signature is out of the way.
python3 - "$root/tools/pawl-verify" <<'P'
import hashlib, importlib.machinery, importlib.util, json, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pawl_verify", sys.argv[1])
V = importlib.util.module_from_spec(importlib.util.spec_from_loader("pawl_verify", loader))
loader.exec_module(V)
head, rest = open("s.html", encoding="utf-8").read().split('id="data">')
data, tail = rest.split("</script>", 1)
def lie(name, change):
    d = json.loads(data)
    evidence = d["evidence"][0]["evidence"]
    change(evidence)
    salted = bytes.fromhex(d["evidence"][0]["salt"]) + V.canonical_bytes(evidence)
    d["statement"]["evidence_root"] = hashlib.sha256(salted).hexdigest()
    open(name + ".html", "w", encoding="utf-8").write(head + 'id="data">' + json.dumps(d).replace("<", "\\u003c") + "</script>" + tail)
def swap(e):
    for c in e["cases"]:
        c["incumbent"], c["candidate"] = c["candidate"], c["incumbent"]
lie("denied", swap)
lie("short", lambda e: e["cases"].pop())
lie("twice", lambda e: e["cases"].__setitem__(1, e["cases"][0]))
lie("wins", lambda e: e["gate"].update(wins=e["gate"]["wins"] + 1))
lie("evalue", lambda e: e["gate"].update(log_e=e["gate"]["log_e"] + 1e-6))
lie("pvalue", lambda e: e["gate"].update(p=e["gate"]["p"] / 2))
lie("none", lambda e: e["cases"][0].update(candidate=2))
lie("stranger", lambda e: e["cases"][0].update(id="x", cluster="x"))
P
for lie in denied:'ends before the decision' short:'ends before the decision' twice:'scored twice' wins:'another wins' \
    evalue:'e-value is another' pvalue:'p-value is another' none:'a score is none' stranger:'not sealed in the gate'; do
    opened wrong "${lie%%:*}.html" --no-ed25519
    says "${lie#*:}"
done
