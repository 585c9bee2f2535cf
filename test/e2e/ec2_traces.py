"""What a run leaves where others can read it, and what must not be in it.

Read are every version of every object and every Event, as a watch shows them while the stories are told, and the logs.
Searched for are the keys and session tokens of AWS, the service account's token, user data, and the secrets that a
story put on a console.
"""

import base64
import json
import threading

import ec2_stack

PATHS = (ec2_stack.OBJECTS, "/apis/events.k8s.io/v1/events")
CONSOLE_SECRET = "hunter2-xyz"  # short, so that its name alone can give it away


class Traces:
    def __init__(self, planes):
        self.planes, self.texts, self.files, self.sims, self.versions = planes, [], [], [], 0
        self.keys, self.lock = [], threading.Lock()
        for plane in planes:
            for path in PATHS:
                threading.Thread(target=self.watch, args=(plane, path), daemon=True).start()

    def watch(self, plane, path):
        """Until the process ends, or the plane does; without a resourceVersion, first what is there, then what comes."""
        with ec2_stack.wait_until(30, "the watch is served", lambda: open_watch(plane, path)) as answer:
            for line in answer:
                with self.lock:
                    self.texts.append(line.decode())
                    self.versions += 1

    def add_file(self, path):
        self.files.append(path)

    def add_sim(self, sim):
        self.keys.append(sim.keys())

    def read(self):
        with self.lock:
            texts = list(self.texts)
        for path in self.files:
            with open(path, encoding="utf-8", errors="replace") as file:
                texts.append(file.read())
        return texts

    def secrets(self):
        """By name. A key's id is none: it is on every request."""
        found = {"console": CONSOLE_SECRET, "user data": "#tee-config-v1-begin", "its configuration": encoded('{"version":1,'),
            "user data in base64": encoded("#!/bin/bash\n#tee-config-v1-begin\n")}
        for number, keys in enumerate(self.keys):
            found[f"secret key {number}"] = keys["SecretAccessKey"]
            found[f"session token {number}"] = keys["Token"]
        for number, plane in enumerate(self.planes):
            found[f"service account token {number}"] = plane.token
        return found

    def search(self, stage):
        """A secret anywhere fails, and so does a search that read nothing. Guards taken out: the
        names of secrets in console.c (pkg/nitro); and user data was logged, by hand, in run_host()."""
        texts = self.read()
        size = sum(len(text) for text in texts)
        stage.check(self.versions > 20 and size > 10000, "there is something to search", f"{self.versions} versions, {size} bytes")
        for name, secret in self.secrets().items():
            hits = [text for text in texts if secret in text]
            if not stage.check(not hits, f"{name} is nowhere"):
                at = hits[0].index(secret)
                stage.lines.append("     " + json.dumps(hits[0][max(0, at - 200) : at]))
        stage.measured(f"{self.versions} versions of objects and Events and {len(self.files)} logs searched, {size / 1e6:.1f} MB")


def open_watch(plane, path):
    """None while the API server is not ready for it, as right after a CRD was made."""
    connection = plane.connect()
    connection.request("GET", f"{path}?watch=1&timeoutSeconds=3600")
    connection.sock.settimeout(None)
    answer = connection.getresponse()
    return answer if answer.status == 200 else None


def encoded(text):
    """What the base64 of anything begins with that begins with the text: whole groups of three bytes."""
    return base64.b64encode(text[: len(text) // 3 * 3].encode()).decode()
