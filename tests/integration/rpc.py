"""The control service from Python, by the descriptor file alone.

No generated code: the messages come from cajal.protoset, so this is a client
that shares nothing with ours but the contract.
"""
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import cluster


def pool_of(path):
    pool = descriptor_pool.DescriptorPool()
    with open(path, "rb") as f:
        files = descriptor_pb2.FileDescriptorSet.FromString(f.read())
    for file in files.file:
        pool.Add(file)
    return pool


POOL = pool_of(cluster.PROTOSET)
FACTORY = message_factory.MessageFactory(POOL)
SERVICE = POOL.FindServiceByName("cajal.v1.Control")
STREAMS = {m.name: m.server_streaming for f in [descriptor_pb2.
           FileDescriptorProto.FromString(SERVICE.file.serialized_pb)]
           for s in f.service for m in s.method}


class Client:
    """client.Status(job="j1") -> a message, or an iterator of messages."""

    def __init__(self, target, credentials=None):
        options = [("grpc.enable_http_proxy", 0)]
        self.channel = (
            grpc.secure_channel(target, credentials, options=options)
            if credentials else grpc.insecure_channel(target, options=options))

    def __getattr__(self, name):
        method = SERVICE.methods_by_name[name]
        request = FACTORY.GetPrototype(method.input_type)
        reply = FACTORY.GetPrototype(method.output_type)
        make = (self.channel.unary_stream if STREAMS[name]
                else self.channel.unary_unary)
        call = make(f"/cajal.v1.Control/{name}",
                    request_serializer=lambda m: m.SerializeToString(),
                    response_deserializer=reply.FromString)
        return lambda **fields: call(request(**fields),
                                     timeout=cluster.DEADLINE)

    def raw(self, name, payload):
        """Sends bytes that need not be a message."""
        make = (self.channel.unary_stream if STREAMS.get(name)
                else self.channel.unary_unary)
        call = make(f"/cajal.v1.Control/{name}",
                    request_serializer=lambda b: b,
                    response_deserializer=lambda b: b)
        return call(payload, timeout=cluster.DEADLINE)

    def events(self, job="", first=1):
        """All that has happened and will, until the job has ended."""
        return self.Watch(**{"job": job, "from": first, "until_end": True})

    def close(self):
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def tensors(parts):
    """{name: (shape, bytes)} of a Pull; strict about order and sizes."""
    found, ids = {}, {}
    for part in parts:
        if part.offset == 0:
            assert part.name not in found, f"{part.name} comes twice"
            found[part.name] = (list(part.shape), b"", part.bytes)
        shape, data, size = found[part.name]
        assert part.offset == len(data) and len(part.data) <= 1 << 20, part
        found[part.name] = (shape, data + part.data, size)
        if part.unit_ids:
            ids[part.name] = list(part.unit_ids)
    for name, (shape, data, size) in found.items():
        assert len(data) == size, f"{name} has {len(data)} of {size} bytes"
    return {n: (s, d) for n, (s, d, _) in found.items()}, ids
