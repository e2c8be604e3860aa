"""llama-server as a peer: the same prompts as bench_lm_llama, asked by 8 clients; the CPU time is the
server's alone."""

import http.client
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

SLOTS, N_CASES, ANSWER_TOKENS = 8, 64, 32
START_S, ANSWER_S = 120, 600

# As in bench_lm_llama.c, so that both answer the same.
WORDS = ("rain bread trains bees salt maps glass owls tea snow ropes paint river market engine window "
         "paper garden stone music winter ship coal harbour").split()


def text_of(before, salt, n):
    out = [f"{before} {salt}:"]
    for i in range(n):
        salt = (salt * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(f" {WORDS[(salt >> 33) % len(WORDS)]}{'.' if i % 9 == 8 else ''}")
    return "".join(out)


def choices_of(n):
    if n <= 2:
        return ["positive", "negative"]
    k = len(WORDS)
    return [f"{WORDS[i % k]}_{WORDS[(i // k * 5 + i + 7) % k]}" for i in range(n)]


def requests(candidate, n_choices):
    body = {"max_tokens": ANSWER_TOKENS, "temperature": 0, "cache_prompt": True}
    if n_choices:
        body["grammar"] = "root ::= " + " | ".join(f'"{c}"' for c in choices_of(n_choices))
    system = {"role": "system", "content": text_of("Candidate", candidate, 330)}
    for i in range(N_CASES):
        user = {"role": "user", "content": text_of("Describe case", i + 1, 40)}
        yield json.dumps(dict(body, messages=[system, user]))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, program, model, context=1024):
        self.port = free_port()
        threads = str(os.cpu_count())
        self.process = subprocess.Popen(
            [program, "-m", model, "--host", "127.0.0.1", "--port", str(self.port), "-np", str(SLOTS),
             "-c", str(SLOTS * context), "-t", threads, "-tb", threads, "--no-webui"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, GOMP_SPINCOUNT="1000")) # as pawl's own engine
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def wait(self):
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if self.ask("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        self.process.kill()
        raise RuntimeError("llama-server did not start")

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def cpu_s(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self, candidate, n_choices):
        """All cases once, by as many clients as there are slots."""
        waiting, usages, lock = list(requests(candidate, n_choices)), [], threading.Lock()

        def work():
            while True:
                with lock:
                    if not waiting:
                        return
                    body = waiting.pop(0)
                status, text = self.ask("POST", "/v1/chat/completions", body)
                if status == 200:
                    usages.append(json.loads(text)["usage"])

        clients = [threading.Thread(target=work) for _ in range(SLOTS)]
        cpu_s, start = self.cpu_s(), time.perf_counter()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        wall_s = time.perf_counter() - start
        if len(usages) != N_CASES:
            raise RuntimeError(f"llama-server answered {len(usages)} of {N_CASES} cases")
        return {"cpu_s": self.cpu_s() - cpu_s, "wall_s": wall_s,
                "prompt_tokens": sum(u["prompt_tokens"] for u in usages),
                "completion_tokens": sum(u["completion_tokens"] for u in usages)}
