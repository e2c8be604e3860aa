"""The warm interpreter: it starts once and forks for every run (zygote.h says for whom and why).

It is confined as any other child is and reads no text of anybody. A solution gets a process of its own,
which gives up what is left before it reads its text from its own socket. Tests are read and judged by
another process, the judge, which serves one test after the other; tests that could change the judge itself
get a fork of it. So what the tests expect was never in the memory of what a solution was forked from.

    stdin    messages "S cpu_s" with the solution's life, text and peer, "J ..." with a
             judge's life and socket
    stdout   "ready", or a sentence that says what is missing
    life     closed by the caller: the process is killed. Gone: 4 bytes, its wait status, and closed.
"""
import sys
sys.path[:] = [place for place in sys.path if place]  # never the current folder
import ast, builtins, ctypes, fcntl, gc, json, os, random, resource, select, signal, socket
# What programs commonly import, loaded once for all of them.
import bisect, cmath, collections, copy, datetime, decimal, fractions, functools, heapq, itertools
import math, operator, re, statistics, string, typing

LINE_MAX = 4 << 20
LIBC = ctypes.PyDLL(None, use_errno=True)  # holds the interpreter: there is one thread
PRCTL, SYSCALL, FORK = LIBC.prctl, LIBC.syscall, LIBC.fork
DUMPS, LOADS = json.JSONEncoder().encode, json.JSONDecoder().decode


class Instructions(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_char_p)]


class Walls:
    """What every process here loses for good before it reads a text."""

    def __init__(self, filter_code, call_number):
        self.program = Instructions(len(filter_code) // 8, filter_code)
        self.pointer, self.call_number = ctypes.byref(self.program), call_number

    def limit(self, parent, cpu_s):
        """The limits on memory, descriptors and files (none may grow) are inherited."""
        if PRCTL(1, 9, 0, 0, 0) != 0:  # killed with its parent
            raise OSError("prctl")
        if os.getppid() != parent:
            os._exit(1)
        if cpu_s:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))

    def close(self):
        """No other process, signal or file: pawl_seccomp_run_hex."""
        if SYSCALL(self.call_number, 1, 0, self.pointer) != 0:
            raise OSError("seccomp")


def keep_only(first, second):
    """Nothing else stays open; 0 to 2 are /dev/null. Few steps: each touches memory that is then copied."""
    os.dup2(NULL, 0)
    os.dup2(NULL, 1)
    os.dup2(NULL, 2)
    low, high = (first, second) if first < second else (second, first)
    os.closerange(3, low)
    os.closerange(low + 1, high)
    os.closerange(high + 1, 256)


def fork(work, parent):
    """A process that does `work` and ends. Not os.fork: what Python renews after it (threads, the random
    seed) costs twice the fork, and a verdict should not depend on a seed."""
    pid = FORK()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "fork")
    if pid:
        return pid
    try:
        work(parent)
    finally:
        os._exit(0)


class Lines:
    """One JSON value a line, both ways, on one descriptor."""

    def __init__(self, fd):
        self.fd, self.rest = fd, b""

    def write(self, value):
        text = memoryview((DUMPS(value) + "\n").encode("ascii"))
        while text:
            text = text[os.write(self.fd, text):]

    def read(self):
        """The next line, or b"" at the end or when it is too long."""
        parts = [self.rest]
        size = len(self.rest)
        while b"\n" not in parts[-1]:
            part = os.read(self.fd, 1 << 16)
            size += len(part)
            if not part or size > LINE_MAX:
                return b""
            parts.append(part)
        line, _, self.rest = b"".join(parts).partition(b"\n")
        return line


# --- plain data on the wire ---------------------------------------------------------------------------
# None, booleans, small integers, texts and lists are themselves; everything else is {tag: content}. A
# value of a subclass is taken for its base, by the base's own methods: nothing of its class survives.


def pack(value, objects, depth=0):
    if depth > 200:
        raise ValueError("a value nested too deeply")
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        value = int.__add__(value, 0)
        return value if -(1 << 53) < value < 1 << 53 else {"i": hex(value)}
    if isinstance(value, float):
        return {"f": float.hex(value)}
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list):
        return [pack(item, objects, depth + 1) for item in list.__iter__(value)]
    if isinstance(value, dict):
        return {"d": [[pack(key, objects, depth + 1), pack(item, objects, depth + 1)]
                      for key, item in dict.items(value)]}
    for tag, kind in (("t", tuple), ("s", set), ("z", frozenset)):
        if isinstance(value, kind):
            return {tag: [pack(item, objects, depth + 1) for item in kind.__iter__(value)]}
    if isinstance(value, (bytes, bytearray)):
        return {"b": bytes.hex(bytes(value))}
    if isinstance(value, complex):
        return {"c": [float.hex(value.real), float.hex(value.imag)]}
    if isinstance(value, type) and TYPES.get(type.__dict__["__name__"].__get__(value)) is value:
        return {"n": value.__name__}
    return {"o": objects(value)}


def unpack(value, objects):
    if type(value) is list:
        return [unpack(item, objects) for item in value]
    if type(value) is not dict:
        return value
    (tag, inner), = value.items()
    if tag == "i":
        return int(inner, 16)
    if tag == "f":
        return float.fromhex(inner)
    if tag == "d":
        return {unpack(key, objects): unpack(item, objects) for key, item in inner}
    if tag in ("t", "s", "z"):
        kind = {"t": tuple, "s": set, "z": frozenset}[tag]
        return kind([unpack(item, objects) for item in inner])
    if tag == "b":
        return bytes.fromhex(inner)
    if tag == "c":
        return complex(float.fromhex(inner[0]), float.fromhex(inner[1]))
    if tag == "n":
        return TYPES[inner]
    if tag == "o":
        return objects(inner)
    raise ValueError("a value of no known kind")


# --- the solution's process ---------------------------------------------------------------------------


def load_solution(sources):
    """The first of the texts that is Python, run once. Gives its names, or raises what it raised."""
    names = {"__name__": "solution"}
    for i, source in enumerate(sources):
        try:
            code = compile(source, "<solution>", "exec")
        except (SyntaxError, ValueError):
            if i + 1 == len(sources):
                raise
        else:
            exec(code, names)
            return names
    raise NameError("there is no solution")


def describe(error):
    try:
        text = str(error)[:500]
    except BaseException:
        text = ""
    return ["e", type(error).__name__, text]


def read_all(fd):
    parts = []
    while True:
        part = os.read(fd, 1 << 16)
        if not part:
            return b"".join(parts).decode("utf-8")
        parts.append(part)


class Served:
    """The solution's names and the objects that the tests hold by number."""

    def __init__(self, sources):
        self.objects, self.failure, self.names = [], None, {}
        try:
            self.names = load_solution(sources)
        except BaseException as error:
            self.failure = describe(error)

    def keep(self, value):
        self.objects.append(value)
        return len(self.objects) - 1

    def find(self, reference):
        if type(reference) is not str:
            return self.objects[reference]
        if reference not in self.names:
            raise NameError("name '%s' is not defined" % reference)
        return self.names[reference]

    def obey(self, verb, reference, *rest):
        target, rest = self.find(reference), [unpack(item, self.find) for item in rest]
        if verb == "call":
            return target(*rest[0], **rest[1])
        if verb == "get":
            return getattr(target, rest[0])
        return setattr(target, rest[0], rest[1])

    def answer(self, line):
        if self.failure:
            return self.failure
        try:
            return ["v", pack(self.obey(*LOADS(line)), self.keep)]
        except BaseException as error:
            return describe(error)


def serve_solution(text_fd, peer_fd):
    """Do what the tests ask: ["call", name, args, kwargs], ["get", ...], ["set", ...]. What a test may
    compare with never comes here."""
    sources = LOADS(read_all(text_fd))["sources"]
    os.close(text_fd)
    served, lines = Served(sources), Lines(peer_fd)
    while line := lines.read():
        lines.write(served.answer(line.decode("utf-8")))


# --- the tests' process -------------------------------------------------------------------------------


class SolutionError(Exception):
    """It raised something that is not one of Python's own exceptions."""


class Unfit(Exception):
    """The tests hand over something that is not plain data: they cannot be judged so."""


class Solution:
    """The other process as the tests see it. Whatever it writes is data or the end of the test."""

    def __init__(self, fd):
        self.lines = Lines(fd)
        self.broken = None  # "ended", "nonsense": final, whatever the tests catch
        self.raised = None  # the last exception that came from there
        self.unfit = False

    def ask(self, *request):
        if self.broken:
            raise SystemExit
        try:
            packed = [item if i < 2 else pack(item, self.refuse) for i, item in enumerate(request)]
            self.lines.write(packed)
            line = self.lines.read()
        except Unfit:
            raise
        except OSError:
            line = b""
        if not line:
            self.broken = "ended"
            raise SystemExit
        return self.read_answer(line)

    def read_answer(self, line):
        try:
            kind, *rest = LOADS(line.decode("utf-8"))
            if kind == "v":
                return unpack(rest[0], lambda number: Thing(self, number))
            if kind != "e" or type(rest[0]) is not str or type(rest[1]) is not str:
                raise ValueError
        except Exception:
            self.broken = "nonsense"
            raise SystemExit
        error = SolutionError(rest[1])
        if rest[0] in ERRORS:
            try:
                error = ERRORS[rest[0]](rest[1])
            except TypeError:
                pass  # one that takes more than a text
        self.raised = error
        raise error

    def refuse(self, value):
        if type(value) is Thing:
            return object.__getattribute__(value, "_reference")
        self.unfit = True
        raise Unfit(type(value).__name__)


class Thing:
    """What lies in the other process: a function by name, an object by number. Equal to itself alone."""

    def __init__(self, solution, reference):
        object.__setattr__(self, "_solution", solution)
        object.__setattr__(self, "_reference", reference)

    def __call__(self, *args, **kwargs):
        return self._solution.ask("call", self._reference, args, kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._solution.ask("get", self._reference, name)

    def __setattr__(self, name, value):
        self._solution.ask("set", self._reference, name, value)


class Names(dict):
    """The tests' names: their own, then modules that were loaded before, then the solution's."""

    def __missing__(self, name):
        if name in BUILTINS or name.startswith("__"):
            raise KeyError(name)
        return MODULES[name] if name in MODULES else Thing(self.solution, name)


def place_of(error, asserts):
    """The how-manieth assertion of the text it was, counted from 1; 0 where none can be named."""
    line, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<tests>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return sum(1 for at in asserts if at <= line)


def judge(tests, entry_point, fd):
    solution, text = Solution(fd), ""
    asserts = [node.lineno for node in ast.walk(tests) if isinstance(node, ast.Assert)]
    verdict = {"end": "passed" if asserts else "unfit", "asserts": len(asserts), "at": 0, "raised": ""}
    names = Names({"__name__": "tests", "candidate": Thing(solution, entry_point)})
    names.solution = solution
    names[entry_point] = names["candidate"]
    try:
        exec(compile(tests, "<tests>", "exec"), names)
        if type(names.get("check")) is type(judge):  # theirs, not a solution of that name
            names["check"](names["candidate"])
    except BaseException as error:
        verdict["at"] = place_of(error, asserts)
        verdict["end"] = "wrong"
        text = "%s: %s" % (type(error).__name__, str(error)[:500])
        if error is solution.raised:
            verdict.update(end="raised", raised=type(error).__name__)
    if solution.unfit:
        verdict["end"] = "unfit"
    if solution.broken:
        verdict["end"], text = solution.broken, ""
    verdict["text"] = text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")
    return DUMPS(verdict).encode("ascii")


# Tests of these parts alone leave the interpreter as it was; so the judge itself may run them.
HARMLESS = (ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.For, ast.If,
            ast.Try, ast.ExceptHandler, ast.Assert, ast.Expr, ast.Pass, ast.BoolOp, ast.BinOp, ast.UnaryOp,
            ast.IfExp, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
            ast.comprehension, ast.Compare, ast.Call, ast.keyword, ast.Constant, ast.Subscript, ast.Starred,
            ast.List, ast.Tuple, ast.Slice, ast.JoinedStr, ast.FormattedValue, ast.boolop, ast.operator,
            ast.unaryop, ast.cmpop, ast.expr_context)
HARMLESS_NAMES = frozenset("""abs all any bool bytes chr complex dict divmod enumerate filter float frozenset
    int isinstance len list map max min ord range reversed round set sorted str sum tuple type zip Exception
    ValueError TypeError""".split())


def is_harmless(tests):
    for node in ast.walk(tests):
        if isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id == "math"
                    and isinstance(node.ctx, ast.Load) and not node.attr.startswith("_")):
                return False
        elif isinstance(node, ast.Name):
            if node.id.startswith("__") or (node.id in BUILTINS and node.id not in HARMLESS_NAMES):
                return False
        elif not isinstance(node, HARMLESS):
            return False
    return True


def judge_in_fork(tests, entry_point, fd):
    """By a process that is gone afterwards, as is whatever the tests changed."""
    ours, theirs = os.pipe()

    def work(parent):
        keep_only(fd, theirs)
        WALLS.limit(parent, 0)
        WALLS.close()
        verdict = memoryview(judge(tests, entry_point, fd))
        while verdict:
            verdict = verdict[os.write(theirs, verdict):]

    pid = fork(work, os.getpid())
    os.close(theirs)
    verdict = read_all(ours).encode("utf-8")
    os.close(ours)
    os.waitpid(pid, 0)
    return verdict or DUMPS({"end": "ended"}).encode("ascii")


def judge_text(spec, fd):
    try:
        tests = ast.parse(spec["tests"])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return b'{"end":"unfit","text":"The tests are no Python."}'
    return (judge if is_harmless(tests) else judge_in_fork)(tests, spec["entry_point"], fd)


def serve_tests(control):
    """Requests: 8 bytes with the length of a text and the descriptor of a solution, and the text."""
    while True:
        size, descriptors, _, _ = socket.recv_fds(control, 8, 1)
        if len(size) < 8 or not descriptors:
            return
        text = bytearray(int.from_bytes(size, "little"))
        rest = memoryview(text)
        while rest:
            n = control.recv_into(rest)
            if n == 0:
                return
            rest = rest[n:]
        rest.release()
        verdict = judge_text(LOADS(text.decode("utf-8")), descriptors[0])
        os.close(descriptors[0])
        control.sendall(len(verdict).to_bytes(8, "little") + verdict)


# --- the zygote ---------------------------------------------------------------------------------------


def run_solution(descriptors, cpu_s):
    text, peer = descriptors

    def work(parent):
        keep_only(text, peer)
        WALLS.limit(parent, cpu_s)
        WALLS.close()
        gc.enable()
        serve_solution(text, peer)
    return work


def run_judge(descriptors, _):
    def work(parent):
        keep_only(*descriptors, NULL)
        WALLS.limit(parent, 0)
        gc.enable()
        serve_tests(socket.socket(fileno=descriptors[0]))
    return work


class Job:
    """A process, with the socket that it lives as long as."""

    def __init__(self, life, work):
        self.life = socket.socket(fileno=life)
        self.pid = fork(work, os.getpid())
        try:
            self.pidfd = os.pidfd_open(self.pid)
        except OSError:
            self.kill()
            os.waitpid(self.pid, 0)
            raise

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def bury(self):
        status = os.waitpid(self.pid, 0)[1]
        try:
            self.life.send(status.to_bytes(4, "little"))
        except OSError:
            pass  # nobody waits
        self.life.close()
        os.close(self.pidfd)


def start_job(message, descriptors):
    """Gives the job, or None where the machine has no room for it: then its life closes."""
    role, cpu_s = message.split()
    life, *others = descriptors
    try:
        return Job(life, (run_solution if role == b"S" else run_judge)(others, int(cpu_s)))
    except OSError:
        return None
    finally:
        for fd in others:
            os.close(fd)


def serve_jobs(control):
    poll = select.poll()
    poll.register(control, select.POLLIN)  # the first to be looked at, before descriptors are used again
    jobs = {}  # by descriptor: its life and its pidfd
    while True:
        for fd, _ in poll.poll():
            job = jobs.get(fd)
            if fd == control.fileno():
                message, descriptors, _, _ = socket.recv_fds(control, 64, 3)
                if not message:  # the caller's end: whoever is left goes first, and is waited for
                    for job in set(jobs.values()):
                        job.kill()
                        job.bury()
                    return
                job = start_job(message, descriptors)
                for watched in (job.life.fileno(), job.pidfd) if job else ():
                    jobs[watched] = job
                    poll.register(watched, select.POLLIN)
            elif job and fd == job.pidfd:
                for watched in (job.life.fileno(), job.pidfd):
                    if jobs.pop(watched, None):
                        poll.unregister(watched)
                job.bury()
            elif job:
                job.kill()
                del jobs[fd]  # its end is heard once
                poll.unregister(fd)


def rehearse():
    """Once through everything, so that what Python prepares at a first use is there to be inherited."""
    if PRCTL(3, 0, 0, 0, 0) < 0 or SYSCALL(WALLS.call_number, 99, 0, WALLS.pointer) != -1:  # neither does a thing
        raise OSError("prctl")
    resource.setrlimit(resource.RLIMIT_CPU, resource.getrlimit(resource.RLIMIT_CPU))
    os.closerange(250, 256)
    ours, theirs = os.pipe()
    os.close(theirs)
    for _ in range(20):
        tests = ast.parse("def check(candidate):\n    assert candidate([1], x='a') == {(1.5, None)}\n")
        is_harmless(tests), judge(tests, "f", ours)
        served = Served(["def f(a, x):\n    return {(1.5, None)}\n"])
        for line in ('["call", "f", {"t": [[1]]}, {"d": [["x", "a"]]}]', '["call", "g", {"t": []}, {"d": []}]'):
            unpack(served.answer(line)[1], int)
    os.close(ours)


def main():
    if sys.version_info < (3, 9):
        print("it is Python %d.%d, and 3.9 is needed" % sys.version_info[:2], flush=True)
        return
    control = socket.socket(fileno=0)
    rehearse()
    random.seed(0)
    gc.disable()
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    try:
        serve_jobs(control)
    finally:
        os._exit(0)


BUILTINS = frozenset(dir(builtins))
ERRORS = {name: kind for name, kind in vars(builtins).items()
          if isinstance(kind, type) and issubclass(kind, Exception)}
TYPES = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)}
MODULES = {name: sys.modules[name] for name in (
    "bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq",
    "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "sys", "typing")}
NULL = os.open("/dev/null", os.O_RDWR)
WALLS = Walls(bytes.fromhex(sys.argv[1]), int(sys.argv[2]))
main()
