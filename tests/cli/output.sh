# What a person has written never replaces the store, the sealed set, the configuration or the cases.
. "$(dirname "$0")/lib.sh"
scripted_project p
cases=$(ls p/data/*.csv p/data/*.jsonl 2>/dev/null | head -n 1)
[ -n "$cases" ] || fail "the template has no cases"
sum() { find p -type f ! -name '*-wal' ! -name '*-shm' -exec sha256sum {} + | sort -k 2; }
expect 0 pawl status -C p
sum >before
for target in p/.pawl/store/pawl.db p/.pawl/new p/pawl.yaml "$cases" ./p/data/../.pawl/store/x; do
    expect 2 pawl eval --json -C p --limit 2 --per-case "$target"
    says 'Nothing is written to'
    expect 2 pawl ledger export --json -C p "$target"
    expect 2 pawl ledger checkpoint --json -C p "$target"
done
ln -s p/.pawl/store link
expect 2 pawl ledger export --json -C p link/x
sum >after
cmp -s before after || fail "$(diff before after)"
expect 0 pawl eval --json -C p --limit 2 --per-case p/rows.jsonl
[ "$(wc -l <p/rows.jsonl)" -eq 2 ] || fail "no rows beside the project's own files"
expect 0 pawl ledger export --json -C p ledger.jsonl
expect 0 pawl ledger --json -C p verify
