# Bad input: a sentence with file, line, field and remedy; exit 2; nothing written.
. "$(dirname "$0")/lib.sh"
fresh() { rm -rf p && mkdir p && pawl init --template scripted -C p >/dev/null 2>&1 && rm -rf p/.pawl "$XDG_DATA_HOME"; }
untouched() { [ ! -e p/.pawl/store/pawl.db ] && [ ! -e p/.pawl/sealed/vault.db ] || fail "something was written"; }
bad() { # bad EXPR: init refuses, with an error for which EXPR (over e) holds
    expect 2 pawl init --json -C p
    [ "$(field "(lambda e: $1)(r['error'])")" = True ] || fail "the error is not so: $1"
    [ "$(field 'len(r["error"]["message"]) > 10')" = True ] || fail "no sentence"
    untouched
}
edit() { python3 - "$@" <<'P'
import sys
path, old, new = sys.argv[1:4]
text = open(path).read()
assert old in text, old
open(path, "w").write(text.replace(old, new, 1))
P
}
mkdir empty && expect 2 pawl status --json -C empty && check 'r["error"]["hint"] != None'
expect 2 pawl status --json -C nowhere
expect 2 pawl improv && says improve
expect 2 pawl improve --budgt x && says budget

fresh; printf 'name: [a\n' >p/pawl.yaml;              bad 'e["line"] >= 1 and e["file"].endswith("pawl.yaml")'
fresh; edit p/pawl.yaml 'metric:' 'metrik:';          bad 'e["field"] == "metrik" and e["line"] == 6 and "metric" in e["hint"]'
fresh; edit p/pawl.yaml 'alpha: 0.05' 'alpha: 5';     bad 'e["field"] == "gate.alpha"'
fresh; edit p/pawl.yaml 'backend: script' 'backend: skript'; bad '"script" in e["hint"] and e["line"] == 8'
fresh; edit p/pawl.yaml 'model.lua' 'absent.lua';     bad 'e["field"].startswith("models.toy")'
fresh; edit p/pawl.yaml 'operator: gepa' 'operator: gpea'; bad '"gepa" in e["hint"]'
fresh; edit p/pawl.yaml 'exact_match' 'exact_mach';   bad '"exact_match" in e["hint"]'
fresh; edit p/pawl.yaml 'metric: exact_match' 'metric: {tolerance: 1}'; bad 'e["field"] == "metric" and "name, lua, command or judge" in e["message"]'
fresh; edit p/pawl.yaml 'answer: yes | no' 'answer: yess or';  bad 'e["field"] == "program.signature"'
fresh; edit p/pawl.yaml 'prompts/answer.md' 'prompts/none.md'; bad 'e["field"] == "program.instruction"'
fresh; edit p/model.lua 'function complete' 'function complete(((';  bad '"model.lua" in (e["file"] or "") + e["message"]'
fresh; rm p/data/cases.csv;                            bad '"cases.csv" in e["message"] + (e["file"] or "")'
fresh; : >p/data/cases.csv;                            bad 'e["file"].endswith("cases.csv")'
fresh; edit p/data/cases.csv 'q1,' 'q0,';              bad 'e["line"] == 3 and "q0" in e["message"]'
fresh; printf 'q9999,Is \377 even?,no\n' >>p/data/cases.csv;  bad 'e["line"] == 802'
fresh; head -n 12 p/data/cases.csv >p/x && mv p/x p/data/cases.csv; bad 'e["hint"] is not None'

# A store that cannot be made is told in a sentence, after the vault has been.
fresh; mkdir p/.pawl && : >p/.pawl/store
expect 2 pawl init --json -C p
check '".pawl/store" in r["error"]["message"]'

# A folder whose name no message could hold.
odd="$work/$(printf 'odd\377')"
mkdir "$odd"
expect 2 pawl init --json --template scripted -C "$odd"
[ "$(ls | grep -c odd)" = 1 ] || fail "a folder with another name was made"
cp -r p "$odd" && cd "$odd/p"
expect 2 pawl init --json
check '"UTF-8" in r["error"]["message"]'
cd "$work"
fresh; XDG_DATA_HOME="$odd" bad '"UTF-8" in e["message"]'

# No folder for the keys: the variables that name one.
fresh; : >not-a-folder
XDG_DATA_HOME="$work/not-a-folder" expect 6 pawl init --json -C p
check '"HOME" in r["error"]["hint"] and "XDG_DATA_HOME" in r["error"]["hint"]'
untouched

# Another endpoint's silence is the world's fault: exit 6.
fresh
edit p/pawl.yaml 'toy: {backend: script, file: model.lua}' 'toy: {backend: openai, model: m, base_url: "http://127.0.0.1:9/v1", key_env: NO_KEY, retries: 0}'
export NO_KEY=secret-of-the-test
expect 0 pawl init --json -C p
expect 6 pawl eval --json -C p --limit 5
grep -rq secret-of-the-test p "$work/out" "$work/err" && fail "the key was written somewhere"

# A test's clock and secrets are refused where a real model is used.
PAWL_TEST_SEED=1 expect 2 pawl eval --json -C p --limit 5
exit 0
