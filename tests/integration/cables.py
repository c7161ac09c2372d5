"""Hosts of the tests' own: network namespaces joined by a bridge.

Needs root; nothing of the machine's own network is touched. Host n has the
address NET.n; its cable can be cut, shaped, made lossy or made slow. netem is
missing from many kernels, so slowness is a program of ours, delayline.py.
"""
import atexit
import os
import subprocess
import sys

from cluster import BIN, CAJAL, DEADLINE, ENV, Answer, Running, Skip

NET = "10.77.0"
SWITCH = f"cj{os.getpid()}s"
slow_lines = []


def run(*words, check=True, stdin=None):
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          input=stdin)
    if check and done.returncode != 0:
        raise Skip(f"{' '.join(words)}: {done.stderr.strip()}")
    return done


def ip(*words, check=True):
    return run("ip", *words, check=check)


def host(n):
    return f"cj{os.getpid()}h{n}"


def address(n):
    return f"{NET}.{n}"


def pull_cables(hosts):
    for line in slow_lines:
        line.process.kill()
        line.process.wait()
    for name in (SWITCH, *map(host, hosts)):
        ip("netns", "del", name, check=False)


def lay_cables(hosts):
    if os.geteuid() != 0:
        raise Skip("network namespaces are made by root only")
    atexit.register(pull_cables, hosts)
    ip("netns", "add", SWITCH)
    ip("-n", SWITCH, "link", "add", "bridge", "type", "bridge")
    ip("-n", SWITCH, "link", "set", "bridge", "up")
    for n in hosts:
        ip("netns", "add", host(n))
        ip("-n", host(n), "link", "add", "eth0", "type", "veth", "peer",
           "name", f"port{n}", "netns", SWITCH)
        ip("-n", SWITCH, "link", "set", f"port{n}", "master", "bridge", "up")
        ip("-n", host(n), "addr", "add", f"{address(n)}/24", "dev", "eth0")
        ip("-n", host(n), "link", "set", "eth0", "up")
        ip("-n", host(n), "link", "set", "lo", "up")


# --- What befalls a cable ---

def cut(n):
    ip("-n", SWITCH, "link", "set", f"port{n}", "down")


def mend(n):
    ip("-n", SWITCH, "link", "set", f"port{n}", "up")


def shape(n, rate):
    """What host n sends and what it gets are held to rate ("50mbit")."""
    for where, device in ((host(n), "eth0"), (SWITCH, f"port{n}")):
        run("tc", "-n", where, "qdisc", "replace", "dev", device, "root",
            "tbf", "rate", rate, "burst", "64kb", "latency", "50ms")


def unshape(n):
    for where, device in ((host(n), "eth0"), (SWITCH, f"port{n}")):
        run("tc", "-n", where, "qdisc", "del", "dev", device, "root",
            check=False)


def on_arrival(n, rule):
    """One nftables rule for what arrives at host n."""
    run("ip", "netns", "exec", host(n), "nft", "-f", "-", stdin=f"""
table inet trouble {{
    chain arrival {{
        type filter hook input priority 0;
        {rule}
    }}
}}""")


def lose(n, percent):
    on_arrival(n, f"numgen random mod 100 < {percent} drop")


def deafen(n, source):
    """Host n hears no more of host source; all else goes on."""
    on_arrival(n, f"ip saddr {address(source)} drop")


def hear(n):
    run("ip", "netns", "exec", host(n), "nft", "delete", "table", "inet",
        "trouble", check=False)


def delay(n, milliseconds):
    """Each frame to and from host n takes so much longer from here on."""
    ip("-n", SWITCH, "link", "del", f"port{n}")  # eth0 goes with it
    line = Running([sys.executable,
                    os.path.join(os.path.dirname(__file__), "delayline.py"),
                    str(milliseconds), host(n), "eth0", SWITCH, f"port{n}"])
    slow_lines.append(line)
    line.await_line("^ready$")
    ip("-n", SWITCH, "link", "set", f"port{n}", "master", "bridge", "up")
    ip("-n", host(n), "addr", "add", f"{address(n)}/24", "dev", "eth0")
    ip("-n", host(n), "link", "set", "eth0", "up")


# --- Programs on hosts ---

def on_host(n, program, *args):
    """`ip netns exec` becomes the program: its pid is the program's."""
    return Running(["ip", "netns", "exec", host(n), os.path.join(BIN, program),
                    *args])


def tool_on(n, *args, code=0):
    done = subprocess.run(["ip", "netns", "exec", host(n), CAJAL, *args],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env=ENV, timeout=DEADLINE, check=False)
    answer = Answer(["cajal", *args], done.returncode, done.stdout,
                    done.stderr)
    assert code is None or answer.code == code, f"wanted {code}: {answer}"
    return answer


class Cluster:
    """A coordinator on host 1 and workers on others, started by hand as
    deploy/README.md says."""

    def __init__(self, store, timeout_ms=3000):
        self.store = store
        self.target = f"{address(1)}:7070"
        self.timeout_ms = timeout_ms
        self.processes = {}

    def start_coordinator(self):
        self.coordinator = on_host(
            1, "cajal-coordinator", "--store", self.store, "--runtime",
            self.store + "-run", "--insecure", "--resume", "--listen",
            self.target, "--workers", f"tcp://{address(1)}:7071", "--chunks",
            f"tcp://{address(1)}:7072", "--timeout-ms", str(self.timeout_ms))
        self.coordinator.await_line("shell started")

    def start_worker(self, n):
        worker = on_host(n, "cajal-worker", "--name", f"w{n}", "--connect",
                         f"tcp://{address(1)}:7071", "--data",
                         f"tcp://{address(n)}:*", "--insecure", "--store",
                         self.store)
        worker.await_line("host joined")
        self.processes[n] = worker

    def tool(self, *args, n=1, **keys):
        return tool_on(n, "--address", self.target, "--insecure", *args,
                       **keys)

    def begin(self, *args, n=1):
        """A command that goes on beside the test: watch."""
        return on_host(n, "cajal", "--address", self.target, "--insecure",
                       *args)
