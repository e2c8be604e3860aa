# A person's texts as a collection: made, searched, made anew; cases are no texts to search, and other
# files are not written over.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=3
scripted_project p
printf '# Returns\n\nSend it back within 30 days.\n\n# Payment\n\nWe take cards.\n' >handbook.md
printf '{"id": "x1", "title": "Hours", "text": "Open from nine to five."}\n' >more.jsonl
expect 0 pawl index handbook.md more.jsonl --into docs.db -C p --json
check 'r["passages"] == 3 and r["dimension"] == 0 and r["collection"] == "docs.db"'
expect 0 pawl index --into docs.db --search 'when are you opening?' -C p --json
check '[f["id"] for f in r["found"]] == ["x1"] and r["passages"] == 3'
expect 0 pawl index --into docs.db --search 'returns within days' -C p
says 'handbook.md#1  Returns'
expect 0 pawl index --into docs.db --search 'zebra' -C p
says 'nothing found'
expect 0 pawl index more.jsonl --into docs.db -C p
says 'docs.db: 1 passages'
[ "$(ls docs.db*)" = docs.db ] || fail "something was left: $(ls docs.db*)"

cp docs.db before.db
refused() { # refused SENTENCE ARGUMENTS...
    sentence=$1
    shift
    expect 2 pawl index "$@" -C p
    says "$sentence"
    cmp -s docs.db before.db || fail "the collection changed: $*"
    [ "$(ls docs.db*)" = docs.db ] || fail "something was left: $(ls docs.db*)"
}
printf '{"id": "x1", "text": "again"}\n' >again.jsonl
refused 'again.jsonl:1: Two passages have the id x1' more.jsonl again.jsonl --into docs.db
printf '{"txt": 1}\n' >wrong.jsonl
refused 'wrong.jsonl:1: This line has no "text"' more.jsonl wrong.jsonl --into docs.db
: >empty.md
refused 'no text in the files' empty.md --into docs.db
refused 'absent.md' absent.md --into docs.db
refused 'is there and is no collection' more.jsonl --into handbook.md
refused 'project.s cases' "$(ls p/data/*.jsonl p/data/*.csv 2>/dev/null | head -1)" --into docs.db
refused 'is pawl.s own' more.jsonl --into p/.pawl/store/docs.db
refused 'Name files to index' --into docs.db
refused '--search something' more.jsonl --into docs.db --search x
refused 'role' more.jsonl --into docs.db --embed nobody

# With vectors, by the model of a role; a collection is searched by the model that made it, or by words alone.
expect 0 pawl index handbook.md more.jsonl --into both.db --embed task -C p --json
check 'r["passages"] == 3 and r["dimension"] > 0'
expect 0 pawl index --into both.db --search 'when are you opening?' --embed task -C p --json
check 'r["found"][0]["id"] == "x1" and len(r["found"]) == 3'
expect 0 pawl index --into both.db --search 'when are you opening?' -C p --json
check 'len(r["found"]) == 1'
expect 2 pawl index --into docs.db --search x --embed task -C p
says 'has no vectors'
expect 2 pawl index --into absent.db --search x -C p
