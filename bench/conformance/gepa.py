#!/usr/bin/env -S python3 -B
"""gepa beside the published package: the same candidates, the same scores, the same decisions?

The package's own search runs on a program of three texts, with new texts that are given and scores from a table instead
of a model. Whenever it decides, pawl's gepa is asked about the same history:

    survivors     which candidates are drawn from as parents, and with what weight, under fronts of dev cases, of
                  named scores, of both, and of each pair of the two (one kind a search, in turn)
    acceptance    whether the child is kept after its minibatch
    triplets      which two candidates may be merged over which common ancestor
    child         whose text each component of a merged candidate has

The draws themselves are not compared: they come from other generators. Of candidates with equal means the package first
looks at the one that it meets first on its way through the dev cases, pawl at the older one; so the package's function is
given ranks in which no two are equal, and how often its own order would have left others is told apart. The package runs without its cache, which mixes
up train and dev cases (gepa issue 424). Installs the peer into build/conformance/gepa, once; needs `cmake --build build
--target conformance_programs`. Exit 1 where a decision differs.

    bench/conformance/gepa.py [--runs 20] [--build build]
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import venv_of

ROOT = Path(__file__).resolve().parents[2]
PEERS = ["gepa==0.1.4"]
N_TRAIN, N_DEV, MINIBATCH, NAMES = 12, 10, 3, ("extract", "decide", "say")
FRONTIERS = ("instance", "objective", "hybrid", "cartesian")


def draw_of(*what):
    """In [0, 1), by what it is asked for."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:6], "big") / 2**48


class Peer:
    """One search of the package's, with every decision written down."""

    def __init__(self, seed, evaluations):
        import gepa
        from gepa.core.adapter import EvaluationBatch
        from gepa.gepa_utils import remove_dominated_programs
        from gepa.proposer import merge
        from gepa.strategies import acceptance, candidate_selector

        self.seed, self.questions, self.answers, self.n_texts, self.n_otherwise = seed, [], [], 0, 0
        self.frontier = FRONTIERS[seed % len(FRONTIERS)]
        peer, merge_module = self, merge

        class Table:
            """A case is answered the better, the more texts suit it; a rewritten text suits others."""

            def evaluate(table, batch, candidate, capture_traces=False):
                scores = [peer.score(candidate, case) for case in batch]
                return EvaluationBatch(outputs=list(batch), scores=scores,
                                       objective_scores=[peer.names_of(candidate, case) for case in batch],
                                       trajectories=list(batch) if capture_traces else None)

            def make_reflective_dataset(table, candidate, evaluation, components):
                return {name: [{"Feedback": "none"}] for name in components}

            def propose_new_texts(table, candidate, dataset, components):
                peer.n_texts += 1
                return {name: f"text {peer.n_texts}" for name in components}

        select, accept, propose = (candidate_selector.ParetoCandidateSelector.select_candidate_idx,
                                   acceptance.StrictImprovementAcceptance.should_accept, merge.MergeProposer.propose)

        def weights_of(state, scores):
            weights = {}
            for front in remove_dominated_programs(state.get_pareto_front_mapping(), scores).values():
                for candidate in front:
                    weights[candidate] = weights.get(candidate, 0) + 1
            return sorted(map(list, weights.items()))

        def select_and_tell(selector, state):
            weights = weights_of(state, peer.ranks_of(state))
            peer.n_otherwise += weights != weights_of(state, state.per_program_tracked_scores)
            peer.ask("survivors", weights, **peer.history_of(state))
            return select(selector, state)

        def accept_and_tell(criterion, proposal, state):
            said = accept(criterion, proposal, state)
            if proposal.tag == "reflective_mutation":
                peer.ask("accepted", said, **peer.history_of(state), before=proposal.subsample_scores_before,
                         after=proposal.subsample_scores_after)
            return said

        def propose_and_tell(proposer, state):
            if not (proposer.last_iter_found_new_program and proposer.merges_due > 0):
                return propose(proposer, state)
            merged = [list(triplet) for triplet in proposer.merges_performed[0]]
            triplets = peer.triplets_of(merge_module, proposer, state)
            proposal = propose(proposer, state)
            history = {**peer.history_of(state), "merged": merged,
                       "parents": [(list(p) + [None])[:2] for p in state.parent_program_for_candidate],
                       "texts": [[c[name] for name in NAMES] for c in state.program_candidates]}
            peer.ask("triplets", triplets, **history)
            chosen = proposer.merges_performed[0][len(merged):]
            if chosen and proposal:
                peer.ask("child", [proposal.candidate[name] for name in NAMES], **history, child=list(chosen[0]))
            return proposal

        candidate_selector.ParetoCandidateSelector.select_candidate_idx = select_and_tell
        acceptance.StrictImprovementAcceptance.should_accept = accept_and_tell
        merge.MergeProposer.propose = propose_and_tell
        try:
            gepa.optimize(seed_candidate={name: "text 0" for name in NAMES}, adapter=Table(),
                          trainset=[("train", i) for i in range(N_TRAIN)], valset=[("dev", i) for i in range(N_DEV)],
                          reflection_minibatch_size=MINIBATCH, max_metric_calls=evaluations, use_merge=True,
                          max_merge_invocations=1000, seed=seed, frontier_type=self.frontier, cache_evaluation=False, display_progress_bar=False,
                          raise_on_exception=True, logger=type("Quiet", (), {"log": lambda *_: None})())
        finally:
            candidate_selector.ParetoCandidateSelector.select_candidate_idx = select
            acceptance.StrictImprovementAcceptance.should_accept = accept
            merge.MergeProposer.propose = propose

    def suits(self, name, text, case):
        return draw_of(self.seed, name, text, case) < 0.3 + 0.5 * draw_of(self.seed, text)

    def score(self, candidate, case):
        """In quarters, so that sums are exact whatever the order they are made in."""
        return (0, 0.25, 0.75, 1)[sum(self.suits(name, text, case) for name, text in candidate.items())]

    def names_of(self, candidate, case):
        """Two named scores, each of two texts; in halves, as above."""
        first, second, third = (self.suits(name, candidate[name], case) for name in NAMES)
        return {"form": (first + second) / 2, "sense": (second + third) / 2}

    def history_of(self, state):
        cases = [("dev", i) for i in range(N_DEV)]
        return {"frontier": self.frontier,
                "scores": [[scores[i] for i in sorted(scores)] for scores in state.prog_candidate_val_subscores],
                "named": [[self.names_of(c, case) for case in cases] for c in state.program_candidates]}

    @staticmethod
    def ranks_of(state):
        """By mean, then by number."""
        means = state.per_program_tracked_scores
        order = sorted(range(len(means)), key=lambda i: (means[i], i))
        return [order.index(i) for i in range(len(means))]

    @staticmethod
    def triplets_of(merge, proposer, state):
        """What the package's own filters leave of any two survivors."""
        parents, means = state.parent_program_for_candidate, state.per_program_tracked_scores

        def ancestors(node):
            direct = {p for p in parents[node] if p is not None}
            return direct.union(*map(ancestors, direct)) if direct else direct

        survivors = sorted(merge.find_dominator_programs(state.get_pareto_front_mapping(), Peer.ranks_of(state)))
        triplets = []
        for n, i in enumerate(survivors):
            for j in survivors[n + 1:]:
                if i in ancestors(j) or j in ancestors(i):
                    continue
                triplets += [[i, j, a] for a in merge.filter_ancestors(
                    i, j, ancestors(i) & ancestors(j), proposer.merges_performed, means, state.program_candidates)]
        return sorted(triplets)

    def ask(self, kind, theirs, **question):
        self.questions.append(question)
        self.answers.append((kind, theirs))


def agrees(kind, ours, theirs, question):
    if kind == "survivors":
        return sorted(ours["survivors"]) == theirs
    if kind == "triplets":
        return sorted(ours["triplets"]) == theirs
    if kind == "accepted":
        return ours["accepted"] == theirs
    def text(of, c):
        return question["texts"][of][c]

    return all(theirs[c] == text(of, c) if of is not None else theirs[c] in [text(i, c) for i in question["child"][:2]]
               for c, of in enumerate(ours["child"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=1500)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    args = parser.parse_args()
    venv_of.use(args.build.resolve() / "conformance" / "gepa", PEERS, __file__)
    program = args.build / "conformance" / "conformance_gepa"
    if not program.exists():
        sys.exit(f"conformance: there is no {program}; cmake --build {args.build} --target conformance_programs")
    n = dict.fromkeys(("survivors", "accepted", "triplets", "child"), 0)
    differ, n_triplets, n_otherwise = dict(n), 0, 0
    for seed in range(args.runs):
        random.seed(seed)
        peer = Peer(seed, args.evaluations)
        n_otherwise += peer.n_otherwise
        lines = "".join(json.dumps(question) + "\n" for question in peer.questions)
        said = subprocess.run([program], input=lines, text=True, check=True, capture_output=True).stdout
        for line, question, (kind, theirs) in zip(said.splitlines(), peer.questions, peer.answers, strict=True):
            n[kind] += 1
            n_triplets += len(theirs) if kind == "triplets" else 0
            differ[kind] += not agrees(kind, json.loads(line), theirs, question)
    for kind in n:
        more = {"triplets": f" ({n_triplets} triplets)",
                "survivors": f" ({n_otherwise} otherwise in the package's order of equals)"}.get(kind, "")
        print(f"{kind:10} {n[kind]:5d} decisions{more}, {differ[kind]} differ")
    return 1 if any(differ.values()) or not all(n.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
