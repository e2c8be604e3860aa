"""One search by a published package for quality.py: quality_peer.py OPERATOR TASK.json SERVER_PID. Prints a line of JSON.

dspy's operators get the defaults of their documentation, made smaller until the evaluations are about the budget: sets of 4 + 4
demonstrations and as many candidates as fit. gepa is told the budget itself. Its own process and the server count as CPU.
"""

import json
import os
import sys
import time
from pathlib import Path

operator, task_path, server_pid = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
task = json.loads(task_path.read_text())
calls = [0]


def cpu_s():
    fields = Path(f"/proc/{server_pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + time.process_time()


def right(answer, target):
    return float(str(answer).strip().strip(".\"'").lower() == target.lower())


def with_dspy():
    import dspy

    def model(max_tokens):
        return dspy.LM("openai/local", api_base=task["url"], api_key="none", temperature=0.0, max_tokens=max_tokens, cache=False)

    dspy.configure(lm=model(32))
    from typing import Literal
    signature = dspy.Signature({task["field"]: (str, dspy.InputField()),
                                "label": (Literal[tuple(task["labels"])], dspy.OutputField())}, task["instruction"])

    def examples(tier):
        return [dspy.Example(**{task["field"]: c["input"], "label": c["target"]}).with_inputs(task["field"])
                for c in task[tier]]

    def metric(example, prediction, trace=None):
        calls[0] += 1
        return right(getattr(prediction, "label", ""), example.label)

    def on_test(program):
        return float(dspy.Evaluate(devset=examples("test"), metric=metric, num_threads=8, max_errors=10**6,
                                   provide_traceback=False)(program).score) / 100

    program, train, dev = dspy.Predict(signature), examples("train"), examples("dev")
    before, calls[0] = on_test(program), 0
    start, cpu = time.perf_counter(), cpu_s()
    demos = {"max_bootstrapped_demos": 4, "max_labeled_demos": 4}
    sets = task["budget"] // len(dev)
    if operator == "bootstrap":  # seed, labelled, bootstrapped, then random sets: each on all of dev
        search = dspy.BootstrapFewShotWithRandomSearch(metric=metric, num_candidate_programs=max(1, sets - 3), num_threads=8,
                                                       max_errors=10**6, **demos)
        best = search.compile(program, trainset=train, valset=dev)
    else:
        search = dspy.MIPROv2(metric=metric, prompt_model=model(task["proposal_tokens"]), auto=None, num_candidates=3, num_threads=8, seed=task["seed"], max_errors=10**6,
                              **demos)
        best = search.compile(program, trainset=train, valset=dev, num_trials=6, minibatch=True, minibatch_size=8,
                              minibatch_full_eval_steps=3)
    spent = {"evaluations": calls[0], "wall_s": round(time.perf_counter() - start, 1), "cpu_s": round(cpu_s() - cpu, 1)}
    return dict(spent, before=before, score=on_test(best), artifact=best.dump_state())


def with_gepa():
    import gepa
    import openai
    from concurrent.futures import ThreadPoolExecutor
    from gepa.core.adapter import EvaluationBatch
    client = openai.OpenAI(base_url=task["url"], api_key="none")

    def ask(messages, max_tokens):
        answer = client.chat.completions.create(model="local", messages=messages, temperature=0, max_tokens=max_tokens)
        return answer.choices[0].message.content or ""

    def answer(instruction, case):
        return ask([{"role": "system", "content": instruction}, {"role": "user", "content": case["input"]}], 8)

    class Adapter:
        propose_new_texts = None

        def evaluate(self, batch, candidate, capture_traces=False):
            calls[0] += len(batch)
            with ThreadPoolExecutor(8) as pool:
                outputs = list(pool.map(lambda c: answer(candidate["instruction"], c), batch))
            scores = [right(o, c["target"]) for o, c in zip(outputs, batch)]
            traces = [{"case": c, "output": o, "score": s} for c, o, s in zip(batch, outputs, scores)]
            return EvaluationBatch(outputs=outputs, scores=scores, trajectories=traces if capture_traces else None)

        def make_reflective_dataset(self, candidate, batch, components):
            return {name: [{"Inputs": t["case"]["input"], "Generated Outputs": t["output"],
                            "Feedback": "right" if t["score"] else f"wrong: it should be {t['case']['target']}"}
                           for t in batch.trajectories] for name in components}

    class Quiet:
        def log(self, message):
            pass

    def on_test(instruction):
        with ThreadPoolExecutor(8) as pool:
            outputs = list(pool.map(lambda c: answer(instruction, c), task["test"]))
        return sum(right(o, c["target"]) for o, c in zip(outputs, task["test"])) / len(task["test"])

    labels = ", ".join(task["labels"])
    seed = f"{task['instruction']} Answer with one of: {labels}."
    before = on_test(seed)
    start, cpu = time.perf_counter(), cpu_s()
    found = gepa.optimize(seed_candidate={"instruction": seed}, trainset=task["train"], valset=task["dev"], adapter=Adapter(),
                          reflection_lm=lambda prompt: ask([{"role": "user", "content": prompt}], task["proposal_tokens"]),
                          max_metric_calls=task["budget"], seed=task["seed"], logger=Quiet())
    spent = {"evaluations": calls[0], "wall_s": round(time.perf_counter() - start, 1), "cpu_s": round(cpu_s() - cpu, 1)}
    best = found.best_candidate["instruction"]
    return dict(spent, before=before, score=on_test(best), artifact=best)


print(json.dumps(with_gepa() if operator == "gepa" else with_dspy()))
