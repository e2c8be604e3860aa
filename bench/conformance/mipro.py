#!/usr/bin/env -S python3 -B
"""mipro beside the published MIPROv2: the same proposals, the same scores, the same decisions?

dspy's own search runs with instructions and demonstrations that are given, and with scores from a table instead of
a model. Whenever it decides, pawl's mipro is asked about the same history:

    full evaluation   which combination is scored on all of dev next
    guide             log l - log g of every combination, against Optuna's estimators

The draws themselves are not compared: they come from other generators. Installs the peers into build/conformance/venv,
once; needs `cmake --build build --target conformance_programs`. Exit 1 where a decision differs.

    bench/conformance/mipro.py [--runs 20] [--build build]
"""

import argparse
import itertools
import json
import logging
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import venv_of

ROOT = Path(__file__).resolve().parents[2]
PEERS = ["dspy==3.4.1", "optuna==5.0.0"]


class Peer:
    """One search of dspy's, with every decision written down."""

    def __init__(self, seed, n_predictors, n_instructions, n_sets, n_trials):
        import dspy
        import optuna
        from dspy.teleprompt import mipro_optimizer_v2 as published

        logging.getLogger("dspy").setLevel(logging.ERROR)
        self.optuna, self.draw = optuna, random.Random(seed)
        self.n_predictors = n_predictors
        self.choices = [n_instructions, n_sets] * n_predictors
        self.names = [f"{i}_predictor_{what}" for i in range(n_predictors) for what in ("instruction", "demos")]
        self.questions, self.answers, self.trials, self.full = [], [], [], []
        self.table = {x: self.draw.random() for x in itertools.product(*map(range, self.choices))}

        class Program(dspy.Module):
            def __init__(program):
                super().__init__()
                for i in range(n_predictors):
                    setattr(program, f"step{i}", dspy.Predict("question -> answer"))

        program = Program()
        instructions = {i: [f"Instruction {j}." for j in range(n_instructions)] for i in range(n_predictors)}
        demos = [[[dspy.Example(question=str(j), answer=str(j))] * j for j in range(n_sets)]
                 for _ in range(n_predictors)]
        for predictor in program.predictors():
            predictor.signature = predictor.signature.with_instructions("Instruction 0.")
        create = optuna.create_study

        def keep_study(**options):
            self.study = create(**options)
            return self.study

        def score(batch_size, _, candidate, *rest, **more):
            return SimpleNamespace(score=self.score(self.point(candidate), batch_size), results=[])

        optimizer = published.MIPROv2(metric=lambda *_: 1, prompt_model=dspy.utils.DummyLM([]),
                                      task_model=dspy.utils.DummyLM([]), auto=None, num_candidates=n_sets,
                                      seed=seed + 1)
        optimizer.rng = random.Random(seed)
        published.eval_candidate_program = score
        optuna.create_study = keep_study
        self.n_val = 100
        try:
            optimizer._optimize_prompt_parameters(program, instructions, demos, None, [None] * self.n_val, n_trials,
                                                  True, 35, 5, seed)
        finally:
            optuna.create_study = create

    def point(self, program):
        """The combination, read off the program."""
        x = []
        for predictor in program.predictors():
            x += [int(predictor.signature.instructions.split()[-1][:-1]), len(predictor.demos)]
        return tuple(x)

    def score(self, x, batch_size):
        if batch_size < self.n_val:
            self.ask_guide()
            value = round(min(max(self.draw.gauss(self.table[x], 0.1), 0), 1), 2)
            self.trials.append({"x": x, "value": value})
            return value
        if self.trials:
            self.ask_full(x)
            self.full.append(x)
        return self.table[x]

    def ask(self, **more):
        self.questions.append({"choices": self.choices, "observations": [], "trials": [], "full": [], **more})

    def ask_full(self, chosen):
        self.ask(trials=list(self.trials), full=list(self.full))
        self.answers.append(("full", list(chosen)))

    def ask_guide(self):
        """What Optuna's estimators say of every point, from the trials that it was told of so far."""
        import numpy
        from optuna.samplers._tpe import sampler as tpe

        done = [t for t in self.study.trials if t.value is not None]
        sampler = self.study.sampler
        space = {name: self.optuna.distributions.CategoricalDistribution(list(range(n)))
                 for name, n in zip(self.names, self.choices)}
        below, above = tpe._split_trials(self.study, done, tpe.default_gamma(len(done)))
        points = numpy.array(list(itertools.product(*map(range, self.choices))))
        columns = {name: points[:, d] for d, name in enumerate(self.names)}
        log_l = sampler._build_parzen_estimator(self.study, space, below, handle_below=True).log_pdf(columns)
        log_g = sampler._build_parzen_estimator(self.study, space, above, handle_below=False).log_pdf(columns)
        self.ask(observations=[{"x": [t.params[name] for name in self.names], "value": t.value} for t in done])
        self.answers.append(("guide", (log_l - log_g).tolist()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    args = parser.parse_args()
    venv_of.use(args.build.resolve() / "conformance" / "venv", PEERS, __file__)
    ours = args.build / "conformance" / "conformance_mipro"
    if not ours.exists():
        sys.exit(f"conformance: there is no {ours}; cmake --build {args.build} --target conformance_programs")
    n = {"full": 0, "guide": 0}
    differ, worst = dict(n), 0.0
    for seed in range(args.runs):
        peer = Peer(seed, *((1, 3, 6, 30), (2, 3, 6, 40))[seed % 2])
        lines = "".join(json.dumps(question) + "\n" for question in peer.questions)
        said = subprocess.run([ours], input=lines, text=True, check=True, capture_output=True).stdout
        for line, (kind, theirs) in zip(said.splitlines(), peer.answers, strict=True):
            answer = json.loads(line)
            n[kind] += 1
            if kind == "guide":
                off = max(abs(a - b) for a, b in zip(answer["ratios"], theirs, strict=True))
                worst = max(worst, off)
                differ[kind] += off > 1e-9
            elif answer["next_full"] != theirs:
                differ[kind] += 1
    print(f"full evaluations  {n['full']:5d} decisions, {differ['full']} differ")
    print(f"guide             {n['guide']:5d} histories, {differ['guide']} differ, log ratio off by {worst:.1e} at most")
    return 1 if any(differ.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
