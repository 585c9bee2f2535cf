"""Counts what a fleet costs: EC2 calls, writes to the API server, memory and time, with the real controller.

ec2_scale.py PLANE FOLDER OBJECTS

PLANE is a folder of hack/kube.sh, FOLDER where the sim and the controller live; TEE_BUILD_DIR names the programs. All
objects have nothing to attest: what is counted is EC2 and the API server. The figures of EC2 are the controller's own
(tee_ec2_requests_total), memory is /proc's VmRSS.
"""

import collections
import concurrent.futures
import os
import re
import sys
import time
import urllib.parse
import urllib.request

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "e2e"))
import ec2_stack

FLAGS = ("--max-launches-per-hour-total", "10000", "--ec2-rate-share", "100", "--inventory-interval", "60",
    "--leader-elect-lease-duration", "15", "--leader-elect-renew-deadline", "10", "--leader-elect-retry-period", "2",
    "--metrics-bind-address", "127.0.0.1:0")
FILLING = ("--workers", "64")
BATCH = 1000
THREADS = 8


def say(text):
    print(f"  ... {text}", file=sys.stderr, flush=True)


class Fleet(ec2_stack.Story):
    """Numbered objects, and what the controller counts of its work for them."""

    def __init__(self, plane, folder):
        super().__init__("fleet", plane, folder, flags=FLAGS + FILLING)
        self.launch()

    def launch(self):
        offset = os.path.getsize(self.controller.log)
        self.started = time.monotonic()
        self.controller.start()
        self.port = ec2_stack.wait_until(30, "the controller serves", lambda: self.find_port(offset), 0.01)

    def restart(self):
        """With the workers that it has by default: so many as fill a fleet quickly keep more memory."""
        self.controller.stop()
        self.controller.flags = [flag for flag in self.controller.flags if flag not in FILLING]
        self.launch()

    def find_port(self, offset):
        with open(self.controller.log, encoding="utf-8") as log:
            log.seek(offset)
            found = re.search(r'"metricsPort":(\d+)', log.read())
        return found and found.group(1)

    def metrics(self):
        if self.controller.process.poll() is not None:
            raise SystemExit(f"the controller ended; its last words: {self.controller.last_lines(3)}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as page:
            return dict(line.rsplit(" ", 1) for line in page.read().decode().splitlines() if line and line[0] != "#")

    def calls(self):
        found = collections.Counter()
        for name, value in self.metrics().items():
            action = re.fullmatch(r'tee_ec2_requests_total\{action="(\w+)"\}', name)
            if action:
                found[action.group(1)] = int(float(value))
        return found

    def writes(self):
        return sum(int(float(value)) for name, value in self.metrics().items()
            if name.startswith("rest_client_requests_total") and 'method="PATCH"' in name)

    def passes(self):
        return sum(int(float(value)) for name, value in self.metrics().items() if name.startswith("controller_runtime_reconcile_total"))

    def memory(self):
        """The second figure is that of all anonymous pages: what is not the program's text and its libraries'."""
        whole, own = self.controller.resident_kib(), self.controller.resident_kib("RssAnon")
        return f"{whole / 1024:.1f} MiB, of which {own / 1024:.1f} MiB anonymous"

    def cpu_seconds(self):
        with open(f"/proc/{self.controller.process.pid}/stat", encoding="utf-8") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def create_numbered(self, number):
        """With a label by which the objects of one batch are deleted together."""
        manifest = self.manifest(f"o-{number}")
        manifest["metadata"]["labels"]["batch"] = str(number // BATCH)
        self.plane.insist("POST", self.path, manifest)

    def delete_numbered(self, number):
        self.delete(f"o-{number}")

    def each(self, what, numbers):
        """what(number) for each, from THREADS threads."""
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(what, numbers):
                pass

    def ready_count(self):
        """In pages: one answer with all of them would be 30 MB."""
        ready, token = 0, ""
        while True:
            page = self.plane.insist("GET", f"{self.path}?limit=500" + (f"&continue={urllib.parse.quote(token)}" if token else ""))
            ready += sum(map(ec2_stack.is_ready, page["items"]))
            token = page["metadata"].get("continue", "")
            if not token:
                return ready

    def count(self):
        page = self.plane.insist("GET", f"{self.path}?limit=1")
        return len(page["items"]) + page["metadata"].get("remainingItemCount", 0)


def wait(what, limit, test):
    deadline = time.monotonic() + limit
    told = time.monotonic()
    while True:
        began = time.monotonic()
        if test():
            return
        # To count 10,000 objects costs the API server as much as all of the controller's requests.
        time.sleep(1 + 4 * (time.monotonic() - began))
        if time.monotonic() > deadline:
            raise SystemExit(f"timed out waiting for {what}")
        if time.monotonic() - told > 15:
            told = time.monotonic()
            say(f"waiting for {what}")


def row(what, value):
    print(f"{what:<66} {value}", flush=True)


def show_calls(what, before, after):
    made = after - before
    row(what, ", ".join(f"{count} {action}" for action, count in sorted(made.items())) or "none")


def measure_creates(fleet):
    before, started = fleet.calls(), time.monotonic()
    fleet.each(fleet.create_numbered, range(BATCH))
    wait(f"{BATCH} objects to be Ready", 600, lambda: fleet.ready_count() >= BATCH)
    row(f"{BATCH} creates: until all are Ready", f"{time.monotonic() - started:.0f} s")
    time.sleep(6)
    show_calls(f"{BATCH} creates: EC2 calls", before, fleet.calls())


def fill(fleet, objects):
    for first in range(BATCH, objects, BATCH):
        fleet.each(fleet.create_numbered, range(first, min(first + BATCH, objects)))
        wait(f"{first + BATCH} objects to be Ready", 900, lambda wanted=min(first + BATCH, objects): fleet.ready_count() >= wanted)
        say(f"{min(first + BATCH, objects)} of {objects} objects are Ready")


def measure_steady(fleet, objects, minutes):
    time.sleep(70)
    before, writes, busy = fleet.calls(), fleet.writes(), fleet.cpu_seconds()
    time.sleep(60 * minutes)
    busy = fleet.cpu_seconds() - busy
    made = fleet.calls() - before
    row(f"{objects} steady objects: EC2 calls a minute", ", ".join(f"{count / minutes:g} {action}" for action, count in sorted(made.items())))
    row(f"{objects} steady objects: status writes in {minutes} minutes", fleet.writes() - writes)
    row(f"{objects} steady objects: processor time", f"{100 * busy / (60 * minutes):.2f} % of one core")
    row(f"{objects} steady objects: resident memory", fleet.memory())
    started = time.monotonic()
    fleet.metrics()
    row("one scrape of /metrics", f"{1000 * (time.monotonic() - started):.1f} ms")


def measure_restart(fleet, objects):
    row(f"{objects} objects just made by 64 workers: resident memory", fleet.memory())
    fleet.restart()
    name = f"o-{objects // 2}"
    fleet.request_reconcile(name)
    ec2_stack.wait_until(120, "the edit is handled", lambda: ec2_stack.is_handled(fleet.get(name)), 0.02)
    row(f"restart with {objects} objects: an edit made at once is handled after", f"{time.monotonic() - fleet.started:.1f} s")
    while fleet.passes() < objects or float(fleet.metrics().get('workqueue_depth{name="teedeployment",controller="teedeployment"}', 0)) > 0:
        if time.monotonic() - fleet.started > 300:
            raise SystemExit("the first passes do not end")
        time.sleep(0.1)
    row(f"restart with {objects} objects: every object looked at after", f"{time.monotonic() - fleet.started:.1f} s")
    show_calls(f"restart with {objects} objects: EC2 calls until then", collections.Counter(), fleet.calls())
    row(f"restart with {objects} objects: resident memory", fleet.memory())


def measure_deletes(fleet, objects):
    """As 8 users would, and as the end of a namespace does."""
    def each():
        fleet.each(fleet.delete_numbered, range(BATCH))

    def together():
        fleet.plane.insist("DELETE", f"{fleet.path}?labelSelector=batch%3D1")

    for what, act in (("deletes", each), ("deletes in one request", together)):
        if objects < BATCH:
            return
        before, started = fleet.calls(), time.monotonic()
        act()
        asked = time.monotonic() - started
        objects -= BATCH
        wait(f"{BATCH} objects to be gone", 600, lambda wanted=objects: fleet.count() <= wanted)
        row(f"{BATCH} {what}: asked within, until all are gone", f"{asked:.0f} s, {time.monotonic() - started:.0f} s")
        show_calls(f"{BATCH} {what}: EC2 calls", before, fleet.calls())


def main(plane, folder, objects):
    ec2_stack.end_with_children()
    fleet, objects = Fleet(ec2_stack.Plane(plane), folder), int(objects)
    measure_creates(fleet)
    fill(fleet, objects)
    measure_restart(fleet, objects)
    measure_steady(fleet, objects, 2)
    measure_deletes(fleet, objects)
    fleet.end()


main(*sys.argv[1:])
