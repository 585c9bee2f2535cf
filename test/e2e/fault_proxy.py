"""A proxy in front of an API server, for tests of what its client makes of faults.

It ends TLS with the plane's own certificate, so that it sees requests and can tell a watch from the rest, and speaks TLS
to the server. Everything passes unless a test says otherwise: answers in the server's place, holds what watches bring,
lets it vanish without a word, cuts an answer after some bytes. Every request is kept. Any thread may call.
"""

import contextlib
import http.client
import http.server
import json
import re
import socket
import ssl
import struct
import threading
import time

HOP = ("connection", "content-length", "transfer-encoding")
PASS, HOLD, DROP = "pass", "hold", "drop"


def is_watch(method, path):
    """Of the objects, and not of Events or anything else."""
    return method == "GET" and "/teedeployments?" in path and "watch=true" in path


def is_stream(method, path):
    return is_watch(method, path) and "sendInitialEvents=true" in path


def is_page(method, path):
    return method == "GET" and "/teedeployments?" in path and "watch=true" not in path


def is_list(method, path):
    return is_page(method, path) or is_stream(method, path)


def status_of(code, reason, message="a fault of the test"):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}


class Rule:
    """What becomes of the next `times` requests that match."""

    def __init__(self, match, times, answer=None, headers=None, cut=None, tear=None, before=None):
        self.match, self.times, self.answer, self.headers, self.cut, self.tear = match, times, answer, headers or {}, cut, tear
        self.before = before  # called when such a request has come, and nothing was done about it yet


class FaultProxy:
    def __init__(self, plane, folder):
        self.plane, self.rules, self.requests, self.streams = plane, [], [], []
        self.watch_mode, self.lock, self.changed = PASS, threading.Lock(), threading.Condition()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{plane.folder}/pki/apiserver.crt", f"{plane.folder}/pki/apiserver.key")
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy, self.server.tls = self, context
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.kubeconfig = f"{folder}/proxied-{self.server.server_address[1]}.kubeconfig"
        with open(plane.controller_kubeconfig, encoding="utf-8") as file:
            text = re.sub(r"server: https://\S+", f"server: https://127.0.0.1:{self.server.server_address[1]}", file.read())
        with open(self.kubeconfig, "w", encoding="utf-8") as file:
            file.write(text)

    def answer(self, match, code, reason, times=1, headers=None, before=None):
        """With a Status, in the server's place."""
        self.add(Rule(match, times, (code, json.dumps(status_of(code, reason)).encode()), headers, before=before))

    def answer_text(self, match, text, times=1):
        """200 and the text."""
        self.add(Rule(match, times, (200, text.encode())))

    def cut(self, match, count, times=1):
        """A reset after so many bytes of the body."""
        self.add(Rule(match, times, cut=count))

    def tear(self, match, size):
        """What the next such answer brings comes in pieces of so many bytes, each a chunk and a TLS record of its own."""
        self.add(Rule(match, 1, tear=size))

    def before(self, match, call):
        """The call is made when the next such request comes, which waits for it and then goes on."""
        self.add(Rule(match, 1, before=call))

    def add(self, rule):
        with self.lock:
            self.rules.append(rule)

    def clear(self):
        with self.lock:
            self.rules.clear()

    def take_rule(self, method, path):
        with self.lock:
            for rule in self.rules:
                if rule.times > 0 and rule.match(method, path):
                    rule.times -= 1
                    return rule
        return None

    def hold_watches(self):
        """What watches bring waits, those of now and those that begin, until pass_watches()."""
        self.set_watches(HOLD)

    def pass_watches(self):
        self.set_watches(PASS)

    def watches(self):
        return [stream for stream in self.streams if is_watch("GET", stream.path)]

    def set_watches(self, mode):
        with self.changed:
            self.watch_mode = mode
            for stream in self.watches():
                if stream.mode != DROP:
                    stream.mode = mode
            self.changed.notify_all()

    def cut_watches(self):
        """Those of now, by a reset."""
        with self.changed:
            for stream in self.watches():
                stream.reset()

    def has_rules(self, match):
        with self.lock:
            return any(rule.times > 0 and rule.match == match for rule in self.rules)

    def drop_watches(self):
        """What the watches of now bring vanishes, and neither end hears that the other is gone."""
        with self.changed:
            for stream in self.watches():
                stream.mode = DROP
            self.changed.notify_all()

    def since(self, moment, match=lambda method, path: True):
        """Requests from then on (time.monotonic()) as (method, path, code); code 0: not answered yet."""
        with self.lock:
            return [(one.method, one.path, one.code) for one in self.requests if one.at >= moment and one.match(match)]

    def note(self, method, path):
        entry = Entry(method, path)
        with self.lock:
            self.requests.append(entry)
        return entry


class Entry:
    def __init__(self, method, path):
        self.at, self.method, self.path, self.code = time.monotonic(), method, path, 0

    def match(self, match):
        return match(self.method, self.path)


class Stream:
    """An answer that comes in pieces."""

    def __init__(self, mode, path, connection):
        self.mode, self.path, self.connection = mode, path, connection

    def reset(self):
        with contextlib.suppress(OSError):  # the client may have gone before
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        """The handshake belongs to the connection's own thread."""
        try:
            with self.tls.wrap_socket(request, server_side=True) as connection:
                self.RequestHandlerClass(connection, client_address, self)
        except (OSError, http.client.HTTPException):
            pass

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream = None

    def serve(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        rule = proxy.take_rule(self.command, self.path)
        entry = proxy.note(self.command, self.path)
        if rule and rule.before:
            rule.before()
        if rule and rule.answer:
            entry.code = rule.answer[0]
            self.send_whole(entry.code, {"Content-Type": "application/json"} | rule.headers, rule.answer[1])
            return
        answer = self.ask(body)
        entry.code = answer.status
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
        if answer.length is not None and not rule:
            self.send_whole(answer.status, headers, answer.read())
        else:
            self.send_pieces(answer, headers, rule.cut if rule else None, rule.tear if rule else None)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = serve

    def ask(self, body):
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        for is_again in (False, True):
            try:
                self.upstream = self.upstream or http.client.HTTPSConnection(self.server.proxy.plane.host, context=self.server.proxy.plane.tls_of_others, timeout=700)
                self.upstream.request(self.command, self.path, body or None, headers)
                return self.upstream.getresponse()
            except (OSError, http.client.HTTPException):
                self.upstream = None
                if is_again:
                    raise
        return None

    def send_head(self, code, headers):
        self.send_response_only(code)
        for name, value in headers.items():
            self.send_header(name, value)

    def send_whole(self, code, headers, body):
        self.send_head(code, headers)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_pieces(self, answer, headers, cut, tear):
        self.send_head(answer.status, headers)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        proxy, sent = self.server.proxy, 0
        stream = Stream(proxy.watch_mode if is_watch(self.command, self.path) else PASS, self.path, self.connection)
        with proxy.changed:
            proxy.streams.append(stream)
        try:
            while piece := answer.read1(65536):
                if cut is not None and sent + len(piece) > cut:
                    self.send_piece(piece[:cut - sent])
                    stream.reset()
                    self.close_connection = True
                    return
                size = tear or len(piece)
                for at in range(0, len(piece), size):
                    self.pass_piece(stream, piece[at:at + size])
                sent += len(piece)
            self.wait_while(stream, HOLD)
            self.wait_while(stream, DROP)  # until the test ends: the stream's end is not told either
            self.wfile.write(b"0\r\n\r\n")
        finally:
            with proxy.changed:
                proxy.streams.remove(stream)

    def wait_while(self, stream, mode):
        with self.server.proxy.changed:
            while stream.mode == mode:
                self.server.proxy.changed.wait()

    def pass_piece(self, stream, piece):
        self.wait_while(stream, HOLD)
        if stream.mode == PASS:
            self.send_piece(piece)

    def send_piece(self, piece):
        if piece:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

    def log_message(self, *args):
        pass
