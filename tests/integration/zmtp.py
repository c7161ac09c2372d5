"""Just enough of ZMTP 3.0 (rfc.zeromq.org/spec/23) to be a bad peer.

Written by hand, since a good library would refuse to send what we want to.
"""
import socket

MORE, LONG, COMMAND = 1, 2, 4

GREETING = (b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00"
            + b"NULL".ljust(20, b"\0") + bytes(32))


def connect(endpoint):
    """A plain connection to ipc://PATH or tcp://HOST:PORT."""
    scheme, _, rest = endpoint.partition("://")
    if scheme == "ipc":
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(rest)
        return s
    host, _, port = rest.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def frame(flags, body, size=None):
    """size: what the header claims, where it is to lie."""
    size = len(body) if size is None else size
    if size < 256:
        return bytes([flags, size]) + body
    return bytes([flags | LONG]) + size.to_bytes(8, "big") + body


def ready(kind):
    name, value = b"Socket-Type", kind.encode()
    return frame(COMMAND, b"\x05READY" + bytes([len(name)]) + name
                 + len(value).to_bytes(4, "big") + value)


def read_exactly(s, count):
    got = b""
    while len(got) < count:
        more = s.recv(count - len(got))
        if not more:
            raise ConnectionError("the peer hung up")
        got += more
    return got


def open_peer(endpoint, kind):
    """A peer of that socket type, hands shaken."""
    s = connect(endpoint)
    s.sendall(GREETING + ready(kind))
    read_exactly(s, 64)
    flags, size = read_exactly(s, 2)
    assert flags == COMMAND, flags
    read_exactly(s, size)
    return s


def message(*parts):
    return b"".join(frame(MORE if i + 1 < len(parts) else 0, part)
                    for i, part in enumerate(parts))


def hung_up(s, seconds=10):
    """The far end has closed the connection, or does so in time."""
    s.settimeout(seconds)
    try:
        while s.recv(65536):
            pass
    except (ConnectionError, BrokenPipeError):
        return True
    except socket.timeout:
        return False
    return True
