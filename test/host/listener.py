"""listener.py PROBE FOLDER: the listener of the attestation port, as tee-attest starts it.

A connection is joined with the enclave when that listens, byte for byte, and else answered with the bytes that
pkg/nitro/native.c writes for a host that boots. The enclave is a socket of the file system; everything else is real.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

import root as roots

PHASES = ("packages", "allocator", "image", "eif", "enclave", "failed")
REQUEST = b"GET /attestation?nonce=" + b"0" * 64 + b" HTTP/1.1\r\nHost: 10.0.0.1:1300\r\nAccept: */*\r\n\r\n"
DOCUMENT = bytes(range(256)) * 64
passed = failed = 0


def check(name, condition, detail=""):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(f"{'ok  ' if condition else 'FAIL'} {name}{'' if condition else f': {detail!r}'[:2000]}")


def connect(root):
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection((roots.IMDS, root.port), timeout=20)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def read_all(connection):
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def ask(root, request=REQUEST, then=lambda connection: None):
    with connect(root) as connection:
        connection.sendall(request)
        then(connection)
        return read_all(connection)


class Enclave:
    """Serves each connection with a function of the connection."""

    def __init__(self, root, serve):
        self.path = root.path(f"run/enclave-{root.port}")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(32)
        self.serve = serve
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        with contextlib.suppress(OSError), connection:
            self.serve(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.path.unlink()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@contextlib.contextmanager
def listening(root, protocol="Native", port=1300):
    """tee-attest's program, for a configuration that tee-config read."""
    root.port = port
    source = {"eif": {"url": "s3://b/k", "sha256": "0" * 64}}
    root.launch({**source, "enclave": {"cpuCount": 2, "memoryMiB": 64},
                 "attestation": {"protocol": protocol, "port": port}})
    if not root.path("usr/libexec/tee").exists():
        root.first_boot()
    assert root.execute(["/usr/libexec/tee/host", "config"]) == 0, root.said
    root.path("run/real-socat").touch()
    process = subprocess.Popen(["/usr/libexec/tee/host", "attest"], env={"PATH": roots.PATH}, cwd="/",
                               preexec_fn=lambda: os.chroot(root.folder), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        root.path("run/real-socat").unlink()
        process.terminate()
        process.wait(timeout=10)


def seconds_of(answer):
    digits = answer.rpartition(b'"seconds":')[2].partition(b"}")[0]
    return digits.decode() if digits.isdigit() else "0"


def test_booting(root):
    for phase in PHASES:
        root.path("run/tee/phase").write_text(phase + "\n")
        answer = ask(root)
        seconds = seconds_of(answer)
        wanted = subprocess.run([root.probe, "boot", phase, seconds], stdout=subprocess.PIPE, check=True).stdout
        check(f"phase {phase}: the bytes of native.c", answer == wanted, (answer, wanted))
        uptime = float(open("/proc/uptime", encoding="ascii").read().split()[0])
        check(f"phase {phase}: the seconds are the uptime", uptime - 30 < int(seconds) <= uptime, seconds)


def test_bad_clients(root):
    started = time.monotonic()
    answer = ask(root, b"")
    check("a client that says nothing is answered", b"teeBoot" in answer and time.monotonic() - started < 8, answer)
    started = time.monotonic()
    stop = threading.Event()

    def babble(connection):
        def loop():
            with contextlib.suppress(OSError):
                while not stop.wait(0.2):
                    connection.sendall(b"X: y\r\n")
        threading.Thread(target=loop, daemon=True).start()

    with contextlib.suppress(ConnectionResetError):
        ask(root, REQUEST[:-2], babble)
    stop.set()
    check("a client that never ends its head is let go", time.monotonic() - started < 15)


def test_joined(root):
    heard = []

    def serve(connection):
        heard.append(connection.recv(65536))
        connection.sendall(DOCUMENT)

    with Enclave(root, serve):
        started = time.monotonic()
        check("the enclave answers: its bytes", ask(root) == DOCUMENT)
        check("the enclave answers: the end comes at once", time.monotonic() - started < 5)
        check("the enclave answers: it heard the client's", heard == [REQUEST], heard)
    check("the enclave is gone: 503 again", ask(root).startswith(b"HTTP/1.1 503 "))


def test_slow_answer(root):
    def serve(connection):
        read_all(connection)
        time.sleep(1.5)
        connection.sendall(DOCUMENT)

    with Enclave(root, serve):
        answer = ask(root, then=lambda connection: connection.shutdown(socket.SHUT_WR))
        check("an answer that comes after the client's end", answer == DOCUMENT, answer[:100])


def test_closed(root):
    with Enclave(root, lambda connection: connection.recv(65536)):
        check("an enclave that closes without a word: no 503", ask(root) == b"")
    with Enclave(root, lambda connection: connection.recv(65536) and connection.sendall(b"HTTP/1.1 200")):
        check("an enclave that stops midway: nothing is added", ask(root) == b"HTTP/1.1 200")


def test_broken_off(root):
    """A reset, which is what closing with unread bytes is, must not look like a host that boots."""
    def serve(connection):
        connection.sendall(b"HTTP/1.1 200")
        time.sleep(0.5)

    with Enclave(root, serve):
        check("an enclave that breaks off: nothing is added", ask(root) == b"HTTP/1.1 200")
    with Enclave(root, lambda connection: time.sleep(0.5)):
        check("an enclave that breaks off at once: no 503", ask(root) == b"")


def test_unread(root):
    """The enclave closes while more is being written to it: the join fails, but it had begun."""
    def serve(connection):
        time.sleep(1)

    with Enclave(root, serve), connect(root) as connection:
        data = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(REQUEST[:-2] + b"X: y\r\n" * 60000 + b"\r\n")
            while piece := connection.recv(65536):
                data += piece
        check("an enclave that closes in the middle of a request: no 503", data == b"", data)


def test_limit(root):
    """16 connections are served at a time; the next waits for its turn."""
    release = threading.Event()
    served = []

    def serve(connection):
        served.append(connection.recv(65536))
        release.wait(20)
        connection.sendall(DOCUMENT)

    with Enclave(root, serve):
        held = [connect(root) for _ in range(17)]
        for connection in held:
            connection.sendall(REQUEST)
        deadline = time.monotonic() + 10
        while len(served) < 16 and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        count = len(served)
        release.set()
        answers = [read_all(connection) for connection in held]
        check("16 at a time", count == 16, count)
        check("16 at a time: all are answered", answers == [DOCUMENT] * 17)


def main():
    root = roots.Root(sys.argv[2], sys.argv[1])
    roots.bring_network_up()
    root.make()
    root.serve_metadata()
    with listening(root):
        for test in (test_booting, test_bad_clients, test_joined, test_slow_answer, test_closed, test_broken_off, test_unread, test_limit):
            test(root)
    with listening(root, "Nitriding", 443):
        check("https: no plain text while the host boots", ask(root, b"\x16\x03\x01") == b"")
        with Enclave(root, lambda connection: connection.sendall(connection.recv(100))):
            check("https: joined", ask(root, b"\x16\x03\x01") == b"\x16\x03\x01")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
