"""A proxy in front of etcd, for an API server whose watches lag behind what etcd has.

Everything passes but what watches bring: that waits while a test says so, here or, once a stream's window of 64 KB is
full, in etcd. So what this API server reads and writes is as fresh as ever, and what it knows by watching is of the past.
Both go over one connection; of HTTP/2 no more is read than the heads of frames. A stream is a watch if etcd sends data
while the API server's side of it is still open: a read or a write is one message each way. Or nothing passes at all, either
way, and no connection ends, so that it looks as if etcd did not answer. Any thread may call.
"""

import collections
import contextlib
import socket
import struct
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = struct.Struct(">BHBBI")  # the length in two parts, type, flags, stream
DATA, HEADERS, RST_STREAM, WINDOW_UPDATE = 0, 1, 3, 8
END_STREAM = 1


class EtcdProxy:
    def __init__(self, etcd_port):
        self.etcd_port, self.is_held, self.is_silent, self.free_count = etcd_port, False, False, 0
        self.waiting, self.changed = collections.deque(), threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        for call in (self.accept, self.send_waiting):
            threading.Thread(target=call, daemon=True).start()

    def hold_watches(self):
        """What watches bring from now on waits."""
        with self.changed:
            self.is_held = True

    def pass_watches(self):
        with self.changed:
            self.is_held = False
            self.changed.notify_all()

    def hold_all(self):
        """Nothing passes from now on."""
        with self.changed:
            self.is_silent = True

    def pass_all(self):
        with self.changed:
            self.is_silent = False
            self.changed.notify_all()

    def wait_while_silent(self):
        with self.changed:
            while self.is_silent:
                self.changed.wait()

    def pass_first(self, count):
        """Of what waits the first so many frames; the others go on waiting."""
        with self.changed:
            self.free_count = count
            self.changed.notify_all()

    def count_waiting(self):
        with self.changed:
            return len(self.waiting)

    def is_waiting(self, text):
        """A whole message with such a text in it, as etcd stores it."""
        streams = collections.defaultdict(bytes)
        with self.changed:
            for connection, frame in self.waiting:
                streams[connection, frame[5:9]] += frame[HEAD.size:]
        return any(text in message for data in streams.values() for message in messages(data))

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            Connection(self, client)

    def keep(self, connection, frame):
        """False: it may pass. What comes later never overtakes what waits."""
        with self.changed:
            if not self.is_held and not self.waiting:
                return False
            self.waiting.append((connection, frame))
            self.changed.notify_all()
            return True

    def send_waiting(self):
        while True:
            with self.changed:
                while not self.waiting or (self.is_held and self.free_count == 0):
                    self.changed.wait()
                self.free_count = max(0, self.free_count - 1)
                connection, frame = self.waiting.popleft()
                with contextlib.suppress(OSError):  # its API server may be gone
                    connection.answer(frame)


class Connection:
    """A thread for what the API server says, and one for what etcd says."""

    def __init__(self, proxy, client):
        self.proxy, self.client, self.etcd = proxy, client, socket.create_connection(("127.0.0.1", proxy.etcd_port))
        self.open_streams, self.ask_lock, self.answer_lock = set(), threading.Lock(), threading.Lock()
        for call in (self.pass_requests, self.pass_answers):
            threading.Thread(target=self.until_end, args=(call,), daemon=True).start()

    def until_end(self, call):
        with contextlib.suppress(OSError):
            call()
        for end in (self.client, self.etcd):
            with contextlib.suppress(OSError):  # the other thread may have been first
                end.shutdown(socket.SHUT_RDWR)

    def pass_requests(self):
        self.ask(read(self.client, len(PREFACE)))
        while True:
            kind, flags, stream, frame = read_frame(self.client)
            if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
                self.open_streams.discard(stream)
            elif kind == HEADERS:
                self.open_streams.add(stream)
            self.ask(frame)

    def pass_answers(self):
        while True:
            kind, _, stream, frame = read_frame(self.etcd)
            is_of_watch = kind == DATA and stream in self.open_streams
            if not (is_of_watch and self.proxy.keep(self, frame)):
                self.answer(frame)
            elif len(frame) > HEAD.size:
                # Nobody has read it, and yet it must not fill the window that the connection's streams share.
                self.ask(HEAD.pack(0, 4, WINDOW_UPDATE, 0, 0) + (len(frame) - HEAD.size).to_bytes(4, "big"))

    def ask(self, frame):
        self.proxy.wait_while_silent()
        with self.ask_lock:
            self.etcd.sendall(frame)

    def answer(self, frame):
        self.proxy.wait_while_silent()
        with self.answer_lock:
            self.client.sendall(frame)


def read(end, count):
    whole = b""
    while len(whole) < count:
        piece = end.recv(count - len(whole))
        if not piece:
            raise OSError("the other end is gone")
        whole += piece
    return whole


def messages(data):
    """The whole ones of gRPC: a byte of flags, four of length, and the message."""
    while len(data) >= 5 and len(data) >= 5 + (size := int.from_bytes(data[1:5], "big")):
        yield data[5:5 + size]
        data = data[5 + size:]


def read_frame(end):
    """Its type, flags and stream, and the whole."""
    head = read(end, HEAD.size)
    high, low, kind, flags, stream = HEAD.unpack(head)
    return kind, flags, stream & 0x7FFFFFFF, head + read(end, high << 16 | low)
