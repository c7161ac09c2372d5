"""A slow cable: delayline.py MS NETNS DEVICE NETNS DEVICE

Makes a tap device in each of two network namespaces and carries every frame
from one to the other, MS milliseconds later. Prints `ready` when both are
there. netem would do it in the kernel, where the kernel has it.
"""
import collections
import ctypes
import fcntl
import os
import select
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
FRAME_BYTES_MAX = 65536
# What a cable of 50 ms at 1 Gbit/s holds; what is more is lost, as there.
FRAMES_MAX = 20000


def tap(netns, device):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{netns}", "rb") as f:
        if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {netns}")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", device.encode(),
                                           IFF_TAP | IFF_NO_PI))
    return fd


def main():
    seconds = float(sys.argv[1]) / 1000
    ends = [tap(sys.argv[2], sys.argv[3]), tap(sys.argv[4], sys.argv[5])]
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    held = collections.deque()  # (when it is due, where to, frame)
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while held and held[0][0] <= now:
            _, to, frame = held.popleft()
            try:
                os.write(to, frame)
            except OSError:
                pass  # that end is down: lost
        wait = max(0, held[0][0] - now) if held else None
        for fd in select.select(ends, [], [], wait)[0]:
            try:
                while len(held) < FRAMES_MAX:
                    frame = os.read(fd, FRAME_BYTES_MAX)
                    held.append((time.monotonic() + seconds, other[fd], frame))
            except BlockingIOError:
                pass
            except OSError:
                time.sleep(0.001)  # the device is not up yet


if __name__ == "__main__":
    main()
