#!/usr/bin/env -S python3 -B
"""bootstrap beside the published BootstrapFewShot: the same answers of the teacher, the same demonstrations?

dspy's own optimiser compiles a program whose teacher answers well or badly by a table, for train sets, rounds and limits
that are drawn; pawl's walk gets the same table and order of cases.

    bootstrapped  which cases become demonstrations with the teacher's answer, and in which order
    labelled      how many raw ones fill the set up, none of which is there twice

Which raw ones are drawn is not compared: they come from other generators. Installs the peer into build/conformance/venv,
once; needs `cmake --build build --target conformance_programs`. Exit 1 where a decision differs.

    bench/conformance/bootstrap.py [--runs 200] [--build build]
"""

import argparse
import contextlib
import io
import json
import logging
import random
import subprocess
import sys
from pathlib import Path

import venv_of

ROOT = Path(__file__).resolve().parents[2]
PEERS = ["dspy==3.4.1", "optuna==5.0.0"] # as mipro.py, whose environment it is


def published(question):
    """(cases bootstrapped, cases labelled) of the package."""
    import dspy

    rounds = {}

    def is_good(example, prediction, trace=None):
        i = int(example.question)
        rounds[i] = rounds.get(i, -1) + 1
        return question["good"][i][rounds[i]]

    trainset = [dspy.Example(question=str(i), answer="a").with_inputs("question") for i in question["order"]]
    optimizer = dspy.BootstrapFewShot(metric=is_good, max_bootstrapped_demos=question["bootstrapped"],
                                      max_labeled_demos=question["labelled"], max_rounds=len(question["good"][0]))
    lm = dspy.utils.DummyLM([{"answer": "a"}] * 10_000)
    with dspy.context(lm=lm), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        program = optimizer.compile(dspy.Predict("question -> answer"), trainset=trainset)
    cases = {True: [], False: []}
    for demo in program.demos:
        cases[bool(demo.get("augmented"))].append(int(demo.question))
    return cases[True], cases[False]


def drawn(draw):
    n = draw.randint(1, 60)
    chance, rounds = draw.random(), draw.randint(1, 3)
    return {"n_train": n, "order": draw.sample(range(n), n), "bootstrapped": draw.randint(1, 8),
            "labelled": draw.randint(0, 20),
            "good": [[draw.random() < chance for _ in range(rounds)] for _ in range(n)]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    args = parser.parse_args()
    venv_of.use(args.build.resolve() / "conformance" / "venv", PEERS, __file__)
    program = args.build / "conformance" / "conformance_bootstrap"
    if not program.exists():
        sys.exit(f"conformance: there is no {program}; cmake --build {args.build} --target conformance_programs")
    logging.disable(logging.ERROR)
    draw = random.Random(1)
    questions = [drawn(draw) for _ in range(args.runs)]
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    said = subprocess.run([program], input=lines, text=True, check=True, capture_output=True).stdout
    n_demos, differ = [0, 0], [0, 0]
    for line, question in zip(said.splitlines(), questions, strict=True):
        ours, (bootstrapped, labelled) = json.loads(line), published(question)
        n_demos = [n_demos[0] + len(bootstrapped), n_demos[1] + len(labelled)]
        differ[0] += ours["bootstrapped"] != bootstrapped
        differ[1] += len(ours["labelled"]) != len(labelled) or bool(
            set(ours["labelled"]) & set(ours["bootstrapped"]))
    for kind, n, d in zip(("bootstrapped", "labelled"), n_demos, differ):
        print(f"{kind:12} {args.runs:5d} sets with {n} demonstrations, {d} differ")
    return 1 if any(differ) or not all(n_demos) else 0


if __name__ == "__main__":
    sys.exit(main())
