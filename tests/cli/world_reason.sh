# When the world fails, the message has the first case's own reason, the hint says what to look at, and
# only then, and only where it helps, how to go on.
. "$(dirname "$0")/lib.sh"
mkdir p
careful_model | own_project p 10 12 60
expect 0 pawl init --json -C p

# Nobody listens there.
edit p/pawl.yaml 'backend: script, file: model.lua' 'backend: openai, model: m, retries: 0, base_url: "http://127.0.0.1:9/v1"'
expect 6 pawl eval --json -C p --limit 3
check '"3 of 3 cases" in r["error"]["message"] and "127.0.0.1 port 9" in r["error"]["message"]'
check '"whether the model is up" in r["error"]["hint"] and "resume" not in r["error"]["hint"]'
expect 6 pawl improve --json -C p
check '"127.0.0.1 port 9" in r["error"]["message"] and "whether the model is up" in r["error"]["hint"]'
check '("Then go on with: pawl improve --resume " + r["run"]) in r["error"]["hint"]'

# A metric that cannot be started: what to do about it is not lost behind how to go on.
edit p/pawl.yaml 'backend: openai, model: m, retries: 0, base_url: "http://127.0.0.1:9/v1"' 'backend: script, file: model.lua'
printf '#!/bin/sh\ncat\n' >p/metric.sh
chmod -x p/metric.sh
edit p/pawl.yaml 'metric: exact_match' 'metric: {command: [./metric.sh]}'
expect 6 pawl eval --json -C p --limit 3
hint=$(field 'r["error"]["hint"]')
check '"metric.sh" in r["error"]["message"] and "improve" not in r["error"]["hint"]'
expect 6 pawl improve --json -C p
check "r['error']['hint'].startswith('$hint') and 'Then go on with' in r['error']['hint']"
