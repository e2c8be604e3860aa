# Operator cards: the shipped ones are in order, need no project, and join the operators' own tables; a wrong
# one is refused at its place.
. "$(dirname "$0")/lib.sh"
root=${PAWL_SOURCE_DIR:?PAWL_SOURCE_DIR names the source}
expect 0 pawl card lint --json
check 'sorted(r["checked"]) == r["checked"] and len(r["checked"]) >= 2'
shipped=$(field '" ".join(r["checked"])')
[ "$shipped" = "$(cd "$root/src/operators" && ls op_*.c | sed 's/^op_//; s/\.c$//' | xargs)" ] ||
    fail "cards of $shipped"
for name in $shipped; do
    expect 0 pawl card lint "$root/share/cards/$name.yaml" --json
    check "r['checked'] == ['$name']"
    expect 0 pawl card "$name" --json
    check "r['card']['operator'] == '$name' and all([r['card']['paper'], r['card']['risk']['failure_modes']])"
    check "all([r['card']['options'], r['card']['surface']['edits'], r['card']['version']])"
    expect 0 pawl card "$name"
    says 'risk level'
done
expect 0 pawl card --json
check '[c["operator"] for c in r["cards"]] == "'"$shipped"'".split() and all(c["risk"] == ("L3" if c["edits"] == ["memory"] else "L0") for c in r["cards"])'
PAWL_BIN="$PAWL_BIN" expect 0 "$root/scripts/check-cards"
expect 2 pawl card gpa
says 'pawl card gepa'
expect 2 pawl card gepa card.yaml
expect 2 pawl card lint absent.yaml

wrong() { # wrong OLD NEW PLACE HINT: gepa's card with OLD replaced is refused there
    cp "$root/share/cards/gepa.yaml" wrong.yaml
    edit wrong.yaml "$1" "$2"
    expect 2 pawl card lint wrong.yaml
    says "wrong.yaml:$(grep -n -- "$3" wrong.yaml | head -1 | cut -d: -f1):"
    says "$4"
    expect 2 pawl card lint wrong.yaml --json
    check 'r["error"]["code"] == "config" and r["error"]["file"] == "wrong.yaml" and r["error"]["column"] > 0'
}
wrong '  attempts: 1' '  atempts: 1' '  atempts' 'Did you mean attempts'
wrong 'level: L0' 'level: L9' 'level: L9' 'Did you mean L0'
wrong '  level: L0
' '' '^risk:' 'risk.level is missing'
wrong 'edits: [text]' 'edits: [text, code]' 'level: L0' 'L3 at least'
wrong 'tiers: [train, dev]' 'tiers: [train, gate]' 'tiers:' 'train|dev'
wrong 'operator: gepa' 'operator: gpea' 'operator: gpea' 'Did you mean gepa'
wrong 'reversible: true' 'reversible: true
  track_record: {promotions: 9}' 'track_record' 'no option track_record'
