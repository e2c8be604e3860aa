/*
 * protocol.h - what pawl's processes say to each other. Messages are JSON over io/channel.h.
 *
 *                    front (never restricted, runs no operator, alone writes ledger and pointers)
 *        channel 3  /                     \  channel 3
 *              engine                      vault ---- channel 4 ---- sealed
 *   (Landlock: project without        (holds sealed cases, targets,   (Landlock: nothing writable,
 *    sealed files; store)              key, metric, attempts)          no store; program + models)
 *
 * A worker is started as `pawl-worker ROLE`, confines itself after `hello` and before anything else,
 * and ends when its channel closes. Every request is answered by exactly one {"done":...} or
 * {"error":...} (io/channel.h); other messages may come before it.
 *
 * front -> every worker, first
 *   {"hello":{"config":{...}, "project_dir":"/abs", "store_dir":"/abs", "sealed_dir":"/abs",
 *             "vault_home":"/abs", "read":["/abs", ...], "deny":["/abs", ...], "test_seed":N|null}}
 *     config: the checked pawl.yaml as JSON. read: further files the engine may read. deny: case
 *     files, which it may not. test_seed: virtual clock and fixed secrets; refused unless every
 *     model is scripted. The vault alone gets sealed_dir, vault_home, and "vault_uid": whose process it
 *     becomes before it opens anything (0: it stays who started it).
 *
 * front -> engine
 *   {"op":"validate"}                      check config, files, models' options
 *                                          -> {"providers":[{"provider":host,"roles":[...]}],
 *                                          "served_here":[role...]}, see pawl_lm_served_here
 *   {"op":"describe"}                      operators, backends, metrics, sandbox, llama -> {...}
 *   {"op":"context"}                       -> {"surroundings":{...}}: what answers depend on besides the artifact
 *   {"op":"tune","model":name|null,"measure":bool} -> {"tuning":{name:{...}}}, see pawl_lm_tune
 *   {"op":"seed"}                          -> {"artifact":{...}} (artifact JSON, see artifact.h)
 *   {"op":"fields"}                        -> as pawl_program_fields gives them
 *   {"op":"messages","artifact":{...}}     -> {"modules":[...]}, see pawl_program_messages
 *   {"op":"embed","role","texts":[...]}    -> {"model","dimension","vectors":[[...]]}
 *   {"op":"judge"}                         -> {"agreement","least","ci95":[lo,hi],"n","failed","model"} on metric.labelled;
 *                                          least: what metric.agreement asks for
 *   {"op":"run","artifact":{...},"inputs":[...]} -> {"outputs":[{"output":{...}|null,"reason",
 *                                          "tokens","wall_s"}],"model"}
 *   {"op":"evaluate","artifact":{...},"file":path|absent,"tier":"dev","from":F,"limit":N,"samples":K,
 *    "per_case":bool,"measured":bool}      {"row":{id,sample,score,status,output,feedback,scores?}}*,
 *                                          {"progress":{...}}*
 *                                          -> {n,mean,ci95,failed,missing,evaluations,tokens,usd,
 *                                              cached,wall_s,cpu_s,metric,model,pace_us,behaviour,
 *                                              work:{name:{...}}}, see pawl_lm_work, and if asked for
 *                                              measured:{measure:[of each case|null]} (gate/guard.h);
 *                                              scores:{name:{mean,n}} where the metric names some
 *   {"op":"improve","run":{id,operator,options,texts,seed,budget:{evaluations,usd,minutes},
 *     dev_check,started_from,forked_from}} {"begin":{"version":N}} (the operator's) when all is checked and nothing is written
 *                                          yet, answered by {"answer":{}} once the run is recorded;
 *                                          {"progress":{...}}*, {"offer":{"candidate":hex,
 *                                          "behaviour":hex,"pace_us":N}} answered by
 *                                          {"answer":{"promoted":bool}} or {"error":...}
 *                                          -> {"state":"finished"|"paused"|"budget","best":hex,
 *                                              "offered":hex|null,"promoted":bool,"short_of":
 *                                              "evaluations"|"usd"|"minutes"|null,...totals}
 *   {"pause":true}                         at any time; no answer of its own
 *
 *   An engine's progress: {"phase":"evaluate"|"improve","evaluations","budget":N|null,"tokens",
 *     "tokens_per_s","usd","elapsed_s","eta_s":X|null}, in a run with "candidates" and "best_dev", or
 *     {"phase","say":text}. At most ten a second; counts never fall.
 *
 * front -> vault
 *   {"op":"seal","again":bool,"seed":{...}} first time: read the case files, draw the key, place
 *                                          clusters -> {"train":[case...],"dev":[case...],
 *                                          "tiers":{...},"clusters":{...},"commitment":{"root","size"},
 *                                          "largest_cluster":M,"public_key":hex,"vault":id,
 *                                          "custody":"...","traps":{...}} (vault_traps.c; absent: none)
 *   {"op":"visible"}                       -> as "seal" again, without a look at the files
 *   {"op":"check"}                         -> {"sealed":bool,"fixed":[...]}: the files as "seal" would read them, when
 *                                          nothing is sealed yet; writes nothing
 *   {"op":"add","file":...}                -> {"train":[...],"dev":[...],"added","refused","tiers",
 *                                          "commitment"}
 *   {"op":"rotate","file":path|absent,"reason":text}
 *                                          a fresh gate; the old one's cases go to dev
 *                                          -> {"statement","signature","added","refused"} (vault.h)
 *   {"op":"rotation","epoch":E,"known":K}  -> {"epoch":now} and what began E, if it has begun
 *   {"op":"opening","attempt":K}           -> as "audit"; of an attempt whose set is rotated
 *   {"op":"sizes"}                         -> {"sizes":[...]} of the gate's clusters, largest first
 *   {"op":"freeze","medians":{...}}        the incumbent's on dev, by measure -> {"caps":{...}}: for
 *                                          guards, once for each sealed set
 *   {"op":"status"}                        -> {"attempts","promotions","next_threshold","level",
 *                                          "gate_cases","gate_clusters","largest_cluster","planned",
 *                                          "attempts_left","epoch_open",...}
 *   {"op":"attempt","candidate":{...},"incumbent":{...},"behaviour":hex,"pace_us":N,"run":id|null,
 *    "anchor":{...} where there are guards,
 *    "recorded":K,"epoch":E}               K: the ledger's last attempt; more than ours: put back;
 *                                          E: the ledger's epoch; another than ours: refused
 *                                          {"progress":{"phase":"gate","release_points_passed":1..4,
 *                                           "release_points":4,"eta_s":X}}* from what was
 *                                          registered before the first case, and nothing else
 *                                          -> {"statement":{...},"signature":hex,"stored":bool}
 *                                          fails PAWL_EUNDECIDED when the world failed
 *   {"op":"confirm","attempt":K,"candidate":{...},"incumbent":{...},"pace_us":N,"recorded":R}
 *                                          -> {"statement","signature","stored"} (vault.h), on the
 *                                          vault tier's fresh cases
 *   {"op":"audit","attempt":K|null}        -> {"evidence":[...],"sealed":[{"case","salt"}]|null};
 *                                          ends the epoch
 *   {"op":"overlap","file":path}           -> {"overlap":bool,"file":sha256,"asked":N}; counted
 *   {"op":"canaries","candidate":{...},"texts":[...]}, either may be absent
 *                                          -> {"found":bool}: whether one of the texts holds a sealed case's canary
 *   {"op":"checkpoint","size":N,"tree_root":hex}  -> {"note":text}, signed
 *   {"op":"attest","attempt":K,"format":"intoto"|"slsa"}  -> {"envelope":{...}} of a verdict that was told (attest.h)
 *   {"op":"burn"}                          -> {}; ends the epoch
 *
 * front -> tables, a worker without a project: it reads nothing and starts nothing, so it is neither
 * greeted with folders nor confined
 *   {"op":"describe"}                      as the engine's
 *
 * vault -> sealed
 *   {"load":{"arms":[{...incumbent},{...candidate},{...anchor, where guards need it}]}} -> {"ready":{"parallel":N,"models":{...},
 *                                                            "confinement":"S2","served_here":[role...]}}
 *   {"case":{"n":N,"arm":0|1|2,"sample":K,"id":"opaque","input":...}}
 *                                          -> {"n":N,"arm":A,"sample":K,"status":"done"|"failed"|
 *                                              "missing","output":{...},"measurements":{...}}
 *     in any order; up to `parallel` cases are under way at once. No target is ever sent.
 *
 * vault -> judge, channel 5: a second process of the role sealed, which runs no artifact, where the metric asks a model
 *   {"load":{"judge":true}}                -> {"ready":{"parallel":N,"models":{"judge":identity}, ...}}
 *   {"judge":{"n":N,"arm":A,"sample":K,"questions":[...]}} (evaluate/questions.h)
 *                                          -> {"n":N,"arm":A,"sample":K,"replies":[choice|null...]|null}
 *     null: the world failed. A question holds the case's target, which is why the first one is never asked.
 */
#ifndef PAWL_IMPROVE_PROTOCOL_H
#define PAWL_IMPROVE_PROTOCOL_H

enum pawl_worker_fd { PAWL_FD_FRONT = 3, PAWL_FD_PEER = 4, PAWL_FD_JUDGE = 5 };

#define PAWL_ROLE_ENGINE_NAME "engine"
#define PAWL_ROLE_VAULT_NAME  "vault"
#define PAWL_ROLE_SEALED_NAME "sealed"
#define PAWL_ROLE_TABLES_NAME "tables"

/* The instant at which a virtual clock starts. */
#define PAWL_TEST_EPOCH_MS 1767225600000 /* 2026-01-01T00:00:00Z */

#endif
