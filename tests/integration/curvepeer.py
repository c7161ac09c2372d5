"""A 0MQ peer with CURVE keys of our choice, by libzmq itself.

zmtp.py speaks plain ZMTP alone; a boxed connection is best left to the library
that the daemons use too. Only what a test needs: push messages.
"""
import ctypes

ZMQ_PUSH = 8
ZMQ_SNDMORE = 2
ZMQ_LINGER, ZMQ_SNDTIMEO, ZMQ_IMMEDIATE = 17, 28, 39
ZMQ_CURVE_PUBLICKEY, ZMQ_CURVE_SECRETKEY, ZMQ_CURVE_SERVERKEY = 48, 49, 50
SEND_MS = 10000


def read_key(path):
    with open(path, encoding="ascii") as f:
        return f.read().strip().encode()


class Push:
    """Connected to endpoint as the owner of the keys in directory `own`."""

    def __init__(self, endpoint, own, far):
        self.zmq = ctypes.CDLL("libzmq.so.5", use_errno=True)
        for name in ("zmq_ctx_new", "zmq_socket"):
            getattr(self.zmq, name).restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.zmq.zmq_ctx_new())
        self.socket = ctypes.c_void_p(self.zmq.zmq_socket(self.context,
                                                          ZMQ_PUSH))
        for option, path in ((ZMQ_CURVE_PUBLICKEY, own + "/curve.pub"),
                             (ZMQ_CURVE_SECRETKEY, own + "/curve.key"),
                             (ZMQ_CURVE_SERVERKEY, far + "/curve.pub")):
            self._set(option, read_key(path) + b"\0")
        # A send waits until the hands are shaken, and says so if they are not.
        for option, value in ((ZMQ_LINGER, SEND_MS), (ZMQ_SNDTIMEO, SEND_MS),
                              (ZMQ_IMMEDIATE, 1)):
            self._set(option, bytes(ctypes.c_int(value)))
        self._check(self.zmq.zmq_connect(self.socket, endpoint.encode()))

    def _check(self, code):
        if code < 0:
            raise OSError(ctypes.get_errno(), "0MQ refused")

    def _set(self, option, value):
        self._check(self.zmq.zmq_setsockopt(
            self.socket, option, value, ctypes.c_size_t(len(value))))

    def send(self, *parts):
        for i, part in enumerate(parts):
            self._check(self.zmq.zmq_send(
                self.socket, part, ctypes.c_size_t(len(part)),
                ZMQ_SNDMORE if i + 1 < len(parts) else 0))

    def close(self):
        self.zmq.zmq_close(self.socket)
        self.zmq.zmq_ctx_term(self.context)
