"""Directories of CURVE keys for tests: X25519 (RFC 7748) and Z85, by hand.

Python's library has neither. Not for keys that protect anything: this takes
no care that its timing tells nothing.
"""
import os

P = 2 ** 255 - 19
A24 = 121665
DIGITS = ("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
          ".-:+=^!/*?&<>()[]{}@%$#")


def public_of(secret):
    """The Montgomery ladder of RFC 7748, section 5, at the base point."""
    k = bytearray(secret)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    x1, x2, z2, x3, z3, swap = 9, 1, 0, 9, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + A24 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def z85(data):
    text = ""
    for at in range(0, len(data), 4):
        number = int.from_bytes(data[at:at + 4], "big")
        group = ""
        for _ in range(5):
            group = DIGITS[number % 85] + group
            number //= 85
        text += group
    return text


def pair():
    secret = os.urandom(32)
    return z85(public_of(secret)), z85(secret)


def write(path, text, mode=0o644):
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(text + "\n")
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def make(directory):
    """A coordinator's directory without workers."""
    shown, secret = pair()
    os.makedirs(directory + "/coordinator", mode=0o700)
    os.mkdir(directory + "/workers")
    os.mkdir(directory + "/revoked")
    write(directory + "/coordinator/curve.pub", shown)
    write(directory + "/coordinator/curve.key", secret, 0o600)


def bundle(directory, name, known=True):
    """A worker's bundle; known: it may come in."""
    path = f"{directory}/worker-{name}"
    os.makedirs(path, mode=0o700, exist_ok=True)
    shown, secret = pair()
    write(path + "/curve.pub", shown)
    write(path + "/curve.key", secret, 0o600)
    with open(directory + "/coordinator/curve.pub", encoding="ascii") as f:
        write(path + "/coordinator.pub", f.read().strip())
    if known:
        write(f"{directory}/workers/{name}.pub", shown)
    return path


def revoke(directory, name):
    os.rename(f"{directory}/workers/{name}.pub",
              f"{directory}/revoked/{name}.pub")
