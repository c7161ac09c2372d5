"""Who may come in: certificates, tokens, roles, and who has none of them.

One coordinator with keys trains a job while all sorts of peers knock at its
door; at the end the weights are those of an undisturbed run.
"""
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess

import grpc

from cluster import (BIN, CAJAL, DEADLINE, ENV, ROOT, Running, Store, Tests,
                     digest, job, kill, read_safetensors, tool)
from rpc import Client

T = Tests()
KEYS = ROOT + "/keys"
FILE = job("guarded", tasks=8, examples=6400, workers=1,
           train="optimizer: {name: adam}, lr: 1e-3, batch: 8")
state = {}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


PORT = free_port()
ADDRESS = f"127.0.0.1:{PORT}"


def keys(*args, **more):
    return tool("keys", *args, "--keys", KEYS, **more)


def carry(name):
    """A copy of a client's bundle, as if carried to another host."""
    to = f"{ROOT}/carried-{len(os.listdir(ROOT))}-{name}"
    shutil.copytree(f"{KEYS}/clients/{name}", to)
    return to


def ask(bundle, *args, **more):
    return tool("--address", ADDRESS, "--keys", bundle, *args, **more)


def refused(bundle, *args, words=""):
    answer = ask(bundle, *args, code=4)
    assert words in answer.err, answer
    assert answer.err.startswith("error: "), answer
    return answer


def certificate(bundle):
    def read(name):
        with open(f"{bundle}/{name}", "rb") as f:
            return f.read()
    return grpc.ssl_channel_credentials(read("ca.crt"), read("tls.key"),
                                        read("tls.crt"))


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def served():
    """The serial number of the certificate that the coordinator shows."""
    context = ssl.create_default_context(cafile=KEYS + "/ca.crt")
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", PORT), DEADLINE) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as s:
            return s.getpeercert()["serialNumber"]


def start():
    state["coordinator"] = Running(
        [BIN + "/cajal-coordinator", "--store", ROOT + "/guarded", "--runtime",
         ROOT + "/guarded-run", "--listen", ADDRESS, "--keys", KEYS,
         "--resume"])
    state["coordinator"].await_line("shell started")


@T.test("keys are made in one command, secrets for their owner alone")
def _():
    keys("init", "--host", "train1.example.org", "--host", "10.1.2.3")
    for name, role in (("vera", "viewer"), ("olga", "operator")):
        keys("add", "client", name, "--role", role)
    keys("add", "client", "tom", "--role", "operator", "--token")
    keys("add", "worker", "w1")
    for top, _, files in os.walk(KEYS):
        assert stat.S_IMODE(os.stat(top).st_mode) == 0o700, top
        for name in files:
            mode = stat.S_IMODE(os.stat(os.path.join(top, name)).st_mode)
            secret = name.endswith(".key") or name in ("token", ".lock")
            assert mode == (0o600 if secret else 0o644), (top, name, mode)
    listed = keys("list").out
    assert "train1.example.org" in listed and "10.1.2.3" in listed, listed
    again = keys("init", code=6)
    assert "--force" in again.err, again
    taken = keys("add", "client", "w1", "--role", "viewer", code=6)
    assert "rotate w1" in taken.err, taken
    for bad in ("../x", "a/b", ".x", "", "x" * 64):
        keys("add", "client", bad, "--role", "viewer", code=2)
    keys("add", "client", "no-role", code=2)
    keys("revoke", "nobody", code=3)


@T.test("a key that others can read is refused, with a sentence")
def _():
    path = KEYS + "/coordinator/tls.key"
    os.chmod(path, 0o644)
    done = subprocess.run(
        [BIN + "/cajal-coordinator", "--store", ROOT + "/open", "--listen",
         ADDRESS, "--keys", KEYS], capture_output=True, text=True, env=ENV,
        timeout=DEADLINE, check=False)
    assert done.returncode == 2 and "chmod 600" in done.stderr, done
    os.chmod(path, 0o600)


@T.test("an address beyond this machine needs keys, or --insecure")
def _():
    done = subprocess.run(
        [BIN + "/cajal-coordinator", "--store", ROOT + "/open", "--listen",
         f"0.0.0.0:{PORT}"], capture_output=True, text=True, env=ENV,
        timeout=DEADLINE, check=False)
    assert done.returncode == 2 and "cajal keys init" in done.stderr, done
    answer = tool("--address", "10.255.255.1:7070", "jobs", code=2)
    assert "--keys" in answer.err and "--insecure" in answer.err, answer


@T.test("a job is started over TLS, and trains on while others knock")
def _():
    start()
    state["worker"] = Running(
        [BIN + "/cajal-worker", "--name", "w1", "--connect",
         f"ipc://{ROOT}/guarded-run/workers.sock", "--runtime",
         ROOT + "/guarded-run", "--store", ROOT + "/guarded"])
    state["worker"].await_line("host joined")
    state["olga"], state["vera"] = carry("olga"), carry("vera")
    state["tom"], state["admin"] = carry("tom"), carry("admin")
    assert ask(state["olga"], "launch", FILE).out.strip() == "j1"
    state["watch"] = Running([CAJAL, "--address", ADDRESS, "--keys",
                              state["olga"], "watch", "j1", "--exit-status"])
    state["watch"].await_line("version=v2")


@T.test("a role may what it may, by the tool and by another client")
def _():
    assert "j1" in ask(state["vera"], "jobs").out
    refused(state["vera"], "cancel", "j1", words='"vera" is viewer')
    refused(state["olga"], "down", words="for the role admin")
    with Client(ADDRESS, certificate(state["vera"])) as vera:
        assert vera.Status(job="j1").summary.job == "j1"
        for change in (lambda: vera.Pause(job="j1"),
                       lambda: vera.Launch(spec=b""), vera.Shutdown,
                       lambda: list(vera.Evaluate(version="v1")),
                       lambda: vera.Tag(job="j1", name="x", version="v1")):
            assert code_of(change) == grpc.StatusCode.PERMISSION_DENIED
    with Client(ADDRESS, certificate(state["olga"])) as olga:
        assert olga.Tag(job="j1", name="good", version="v1").text
        assert code_of(lambda: olga.Tag(job="j1", name="a\0b", version="v1")) \
            == grpc.StatusCode.INVALID_ARGUMENT


@T.test("a token lets in, over TLS alone; a wrong one or none does not")
def _():
    assert "j1" in ask(state["tom"], "jobs").out
    refused(state["tom"], "down", words='"tom" is operator')
    bare = ["--address", ADDRESS, "--ca", KEYS + "/ca.crt"]
    answer = tool(*bare, "jobs", code=4)
    assert "--token-file" in answer.err, answer
    wrong = ROOT + "/wrong-token"
    with open(wrong, "w", encoding="utf-8") as f:
        f.write("0" * 64)
    os.chmod(wrong, 0o600)
    answer = tool(*bare, "--token-file", wrong, "jobs", code=4)
    assert "token" in answer.err, answer
    # It decides alone: a good certificate does not help a bad token.
    tool(*bare, "--keys", state["olga"], "--token-file", wrong, "jobs", code=4)
    os.chmod(wrong, 0o644)
    answer = tool(*bare, "--token-file", wrong, "jobs", code=4)
    assert "chmod 600" in answer.err, answer
    tool("--address", ADDRESS, "--insecure", "--token-file", wrong, "jobs",
         code=2)
    with open(state["tom"] + "/token", encoding="utf-8") as f:
        token = f.read().strip()
    with open(KEYS + "/tokens", encoding="utf-8") as f:
        assert token not in f.read(), "a token is kept in the clear"
    with Client(ADDRESS, grpc.ssl_channel_credentials(
            open(KEYS + "/ca.crt", "rb").read())) as client:
        call = client.channel.unary_unary("/cajal.v1.Control/About")
        for scheme, code in (("Bearer ", grpc.StatusCode.OK),
                             ("bearer ", grpc.StatusCode.UNAUTHENTICATED),
                             ("Bearer  ", grpc.StatusCode.UNAUTHENTICATED),
                             ("Basic ", grpc.StatusCode.UNAUTHENTICATED)):
            got = code_of(lambda s=scheme: call(b"", timeout=DEADLINE, metadata=(
                ("authorization", s + token),)))
            assert got == code, (scheme, got)


def sign(to, days):
    """A certificate for `admin` from the openssl command, not from ours."""
    os.makedirs(to)
    conf = to + "/ca.conf"
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={to}/index\nserial={to}"
                f"/serial\nnew_certs_dir={to}\ndefault_md=sha256\npolicy=p\n"
                "[p]\ncommonName=supplied\n")
    open(to + "/index", "w", encoding="utf-8").close()
    with open(to + "/serial", "w", encoding="utf-8") as f:
        f.write("0A")
    for words in (
            f"ecparam -name prime256v1 -genkey -noout -out {to}/tls.key",
            f"req -new -key {to}/tls.key -subj /CN=admin -out {to}/csr",
            f"ca -config {conf} -cert {KEYS}/ca.crt -keyfile {KEYS}/ca.key "
            f"-in {to}/csr -out {to}/tls.crt -batch -notext -startdate "
            f"{days[0]}000000Z -enddate {days[1]}000000Z"):
        subprocess.run(["openssl", *words.split()], check=True,
                       capture_output=True, timeout=DEADLINE)
    os.chmod(to + "/tls.key", 0o600)
    shutil.copy(KEYS + "/ca.crt", to)
    return to


@T.test("expired, not yet valid, of another authority, or none: refused")
def _():
    assert "j1" in ask(sign(ROOT + "/today", ("20200101", "20600101")),
                       "jobs").out
    refused(sign(ROOT + "/expired", ("20200101", "20210101")), "jobs",
            words="expired")
    refused(sign(ROOT + "/early", ("20590101", "20600101")), "jobs")
    other = ROOT + "/other-keys"
    tool("keys", "init", "--keys", other)
    refused(other, "jobs", words="no certificate of our authority")
    forged = shutil.copytree(other + "/clients/admin", ROOT + "/forged")
    shutil.copy(KEYS + "/ca.crt", forged)
    refused(forged, "jobs", words="does not take this certificate")
    with Client(ADDRESS, certificate(forged)) as client:
        assert code_of(client.About) == grpc.StatusCode.UNAVAILABLE
    # A certificate of the authority, but for a name that has no role.
    shutil.copytree(KEYS + "/coordinator", ROOT + "/posing")
    shutil.copy(KEYS + "/ca.crt", ROOT + "/posing")
    ask(ROOT + "/posing", "jobs", code=4)


@T.test("plain text and noise at the TLS port change nothing")
def _():
    answer = tool("--address", ADDRESS, "jobs", code=5)
    assert "--keys DIR" in answer.err, answer
    with Client(ADDRESS) as client:
        assert code_of(client.About) == grpc.StatusCode.UNAVAILABLE
    for noise in (b"", b"\0" * 4096, b"GET / HTTP/1.1\r\n\r\n",
                  b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", os.urandom(65536),
                  b"\x16\x03\x01\xff\xff" + os.urandom(70000)):
        with socket.create_connection(("127.0.0.1", PORT), DEADLINE) as s:
            try:
                s.sendall(noise)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    assert "j1" in ask(state["olga"], "jobs").out


@T.test("a thousand idle connections keep nobody else out for long")
def _():
    held = []
    for i in range(1000):
        s = socket.socket()
        s.settimeout(DEADLINE)
        s.bind((f"127.0.0.{2 + i % 2}", 0))
        s.connect(("127.0.0.1", PORT))
        held.append(s)
    # Another address is not concerned, even while they are there.
    assert "j1" in ask(state["olga"], "jobs").out
    for s in held:
        s.close()
    about = ask(state["vera"], "version", "-o", "json").out
    count = int(re.search(r'"connections_refused":\s*(\d+)', about)[1])
    assert count >= 400, about


@T.test("who is refused is counted, and logged once")
def _():
    for _ in range(20):
        ask(state["vera"], "cancel", "j1", code=4)
    about = ask(state["vera"], "version", "-o", "json").out
    calls = int(re.search(r'"calls_refused":\s*(\d+)', about)[1])
    hands = int(re.search(r'"handshakes_refused":\s*(\d+)', about)[1])
    assert calls >= 30 and hands >= 5, about
    log = state["coordinator"]
    log.await_line("call_refused")
    lines = [x for x in log.lines if "call_refused" in x]
    assert len(lines) <= 2, lines


@T.test("revoked while it watches: the stream ends, the next call is refused")
def _():
    watch = Running([CAJAL, "--address", ADDRESS, "--keys", state["vera"],
                     "watch", "j1"])
    watch.await_line("version=")
    with Client(ADDRESS, certificate(state["vera"])) as vera:
        assert vera.About().pid
        keys("revoke", "vera")
        watch.end(4)
        # The connection is old, and its certificate was good when it came.
        assert code_of(vera.About) == grpc.StatusCode.UNAUTHENTICATED
    refused(state["vera"], "jobs")
    keys("revoke", "tom")
    refused(state["tom"], "jobs", words="token")
    left = os.listdir(KEYS + "/revoked")
    assert [x for x in left if re.fullmatch(r"\d{8}T\d{6}Z-client-vera", x)]


@T.test("rotated while it runs: the new keys are good, the old ones not")
def _():
    keys("rotate", "admin")
    refused(state["admin"], "jobs")
    assert "j1" in ask(carry("admin"), "jobs").out
    before = served()
    keys("rotate", "coordinator")
    with open(KEYS + "/coordinator/tls.crt", encoding="ascii") as f:
        want = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(f.read()))
    for _ in range(200):
        now = ssl.get_server_certificate(("127.0.0.1", PORT))
        if now == want:
            break
    else:
        raise AssertionError("the old certificate is served on and on")
    assert served() != before
    assert "j1" in ask(state["olga"], "jobs").out


@T.test("a damaged list of roles closes the door until it is mended")
def _():
    with open(KEYS + "/roles", encoding="utf-8") as f:
        good = f.read()
    with open(KEYS + "/roles", "a", encoding="utf-8") as f:
        f.write("somebody king\n")
    refused(state["olga"], "jobs", words="damaged")
    with open(KEYS + "/roles", "w", encoding="utf-8") as f:
        f.write(good)
    assert "j1" in ask(state["olga"], "jobs").out


@T.test("the job has ended with the bits of a run that nobody disturbed")
def _():
    # A closed door may have ended the watch; it is opened once more.
    state["watch"].end(None)
    ask(state["olga"], "watch", "j1", "--exit-status")
    path = ROOT + "/guarded.safetensors"
    ask(state["olga"], "export", "@", path)
    near = Store("near")
    near.run(FILE, "-w", 1)
    assert digest(read_safetensors(path)[1]) == near.digest()


@T.test("an admin ends it, from far away")
def _():
    ask(KEYS, "down")
    for each in ("coordinator", "worker"):
        state[each].end(0)


T.end()
