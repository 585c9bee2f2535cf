"""Counts what a fleet costs: EC2 calls, writes to the API server, memory and time, with the real controller.

ec2_scale.py CONTROLLER KUBECONFIG PKI-FOLDER SERVER SIM OBJECTS FOLDER

All objects have nothing to attest: what is counted is EC2 and the API server. The figures of EC2 are the controller's own
(tee_ec2_requests_total), memory is /proc's VmRSS.
"""

import collections
import concurrent.futures
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

IMAGE = "registry.example.com/hello@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
COLLECTION = "/apis/tee.dev/v1alpha1/namespaces/default/teedeployments"
BATCH = 1000
THREADS = 8
local = threading.local()


def say(text):
    print(f"  ... {text}", file=sys.stderr, flush=True)


class Api:
    """The administrator's requests, a connection for each thread."""

    def __init__(self, server, pki):
        self.address = urllib.parse.urlsplit(server)
        self.context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        self.context.load_cert_chain(f"{pki}/user.crt", f"{pki}/user.key")

    def ask(self, method, path, body=None, kind="application/json"):
        for attempt in range(3):
            if not hasattr(local, "connection"):
                local.connection = http.client.HTTPSConnection(self.address.hostname, self.address.port, context=self.context, timeout=120)
            try:
                local.connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
                answer = local.connection.getresponse()
                text = answer.read()
            except (http.client.HTTPException, OSError):
                del local.connection
                if attempt == 2:
                    raise
                continue
            if answer.status == 429:
                time.sleep(1)
                continue
            if answer.status >= 300:
                raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
            return json.loads(text)
        raise SystemExit(f"{method} {path}: the API server stays busy")


class Controller:
    def __init__(self, program, kubeconfig, sim, folder):
        self.arguments = [program, "--kubeconfig", kubeconfig, "--leader-elect-namespace", "tee-system", "--allow-unmeasured",
            "--max-launches-per-hour-total", "10000", "--ec2-rate-share", "100", "--workers", "64",
            "--metrics-bind-address", "127.0.0.1:0", "--health-probe-bind-address", "127.0.0.1:0"]
        self.environment = {"PATH": os.environ["PATH"], "HOME": folder, "AWS_ENDPOINT_URL_EC2": sim, "AWS_ENDPOINT_URL_STS": sim,
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_NITRO_AMI_ID": "ami-0123456789abcdef0"}
        self.log = open(f"{folder}/controller.log", "ab")
        self.log_path = f"{folder}/controller.log"

    def start(self):
        offset = os.path.getsize(self.log_path)
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.arguments, env=self.environment, stderr=self.log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with open(self.log_path, encoding="utf-8") as log:
                log.seek(offset)
                found = re.search(r'"metricsPort":(\d+)', log.read())
            if found:
                self.port = int(found.group(1))
                return
            time.sleep(0.01)
        raise SystemExit("the controller does not serve")

    def stop(self, how="terminate"):
        getattr(self.process, how)()
        self.process.wait(timeout=60)

    def metrics(self):
        if self.process.poll() is not None:
            raise SystemExit(f"the controller ended with {self.process.returncode}")
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

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def make(api, first, count):
    spec = {"image": IMAGE, "enclave": {"cpuCount": 2, "memoryMiB": 512}, "attestation": {"protocol": "Disabled"}}
    def one(number):
        api.ask("POST", COLLECTION, {"apiVersion": "tee.dev/v1alpha1", "kind": "TeeDeployment", "metadata": {"name": f"o-{number}"}, "spec": spec})
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(one, range(first, first + count)):
            pass


def is_ready(item):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in item.get("status", {}).get("conditions", []))


def count_ready(api):
    ready, token = 0, ""
    while True:
        page = api.ask("GET", f"{COLLECTION}?limit=500&resourceVersion=0&continue={urllib.parse.quote(token)}" if token else f"{COLLECTION}?limit=500")
        ready += sum(map(is_ready, page["items"]))
        token = page["metadata"].get("continue", "")
        if not token:
            return ready


def count_objects(api):
    page = api.ask("GET", f"{COLLECTION}?limit=1")
    return len(page["items"]) + page["metadata"].get("remainingItemCount", 0)


def wait(what, limit, test):
    deadline = time.monotonic() + limit
    told = time.monotonic()
    while not test():
        if time.monotonic() > deadline:
            raise SystemExit(f"timed out waiting for {what}")
        if time.monotonic() - told > 15:
            told = time.monotonic()
            say(f"waiting for {what}")
        time.sleep(1)


def row(what, value):
    print(f"{what:<66} {value}", flush=True)


def show_calls(what, before, after):
    made = after - before
    row(what, ", ".join(f"{count} {action}" for action, count in sorted(made.items())) or "none")


def measure_creates(api, controller):
    before, started = controller.calls(), time.monotonic()
    make(api, 0, BATCH)
    wait(f"{BATCH} objects to be Ready", 600, lambda: count_ready(api) >= BATCH)
    row(f"{BATCH} creates: until all are Ready", f"{time.monotonic() - started:.0f} s")
    time.sleep(6)
    show_calls(f"{BATCH} creates: EC2 calls", before, controller.calls())


def fill(api, objects):
    for first in range(BATCH, objects, BATCH):
        make(api, first, min(BATCH, objects - first))
        wait(f"{first + BATCH} objects to be Ready", 900, lambda wanted=min(first + BATCH, objects): count_ready(api) >= wanted)
        say(f"{min(first + BATCH, objects)} of {objects} objects are Ready")


def measure_steady(controller, objects, minutes):
    time.sleep(70)
    before, writes = controller.calls(), controller.writes()
    time.sleep(60 * minutes)
    made = controller.calls() - before
    row(f"{objects} steady objects: EC2 calls a minute", ", ".join(f"{count / minutes:g} {action}" for action, count in sorted(made.items())))
    row(f"{objects} steady objects: status writes in {minutes} minutes", controller.writes() - writes)
    row(f"{objects} steady objects: resident memory", f"{controller.resident_mib():.1f} MiB")
    started = time.monotonic()
    controller.metrics()
    row("one scrape of /metrics", f"{1000 * (time.monotonic() - started):.1f} ms")


def measure_restart(api, controller, objects):
    controller.stop()
    controller.start()
    number = objects // 2
    asked = time.strftime("%FT%TZ", time.gmtime())
    api.ask("PATCH", f"{COLLECTION}/o-{number}", {"metadata": {"annotations": {"tee.dev/reconcile-requested-at": asked}}}, "application/merge-patch+json")
    edited = time.monotonic()
    def is_handled():
        return api.ask("GET", f"{COLLECTION}/o-{number}").get("status", {}).get("lastHandledReconcileAt") == asked
    while not is_handled():
        if time.monotonic() - edited > 120:
            raise SystemExit("the edit is not handled")
        time.sleep(0.02)
    row(f"restart with {objects} objects: an edit made at once is handled after", f"{time.monotonic() - controller.started:.1f} s")
    while controller.passes() < objects or float(controller.metrics().get('workqueue_depth{name="teedeployment",controller="teedeployment"}', 0)) > 0:
        if time.monotonic() - controller.started > 300:
            raise SystemExit("the first passes do not end")
        time.sleep(0.1)
    row(f"restart with {objects} objects: every object looked at after", f"{time.monotonic() - controller.started:.1f} s")
    show_calls(f"restart with {objects} objects: EC2 calls until then", collections.Counter(), controller.calls())
    row(f"restart with {objects} objects: resident memory", f"{controller.resident_mib():.1f} MiB")


def measure_deletes(api, controller, objects):
    before, started = controller.calls(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda number: api.ask("DELETE", f"{COLLECTION}/o-{number}"), range(BATCH)):
            pass
    wait(f"{BATCH} objects to be gone", 600, lambda: count_objects(api) <= objects - BATCH)
    row(f"{BATCH} deletes: until all are gone", f"{time.monotonic() - started:.0f} s")
    show_calls(f"{BATCH} deletes: EC2 calls", before, controller.calls())


def main(program, kubeconfig, pki, server, sim, objects, folder):
    api, objects = Api(server, pki), int(objects)
    controller = Controller(program, kubeconfig, sim, folder)
    controller.start()
    try:
        measure_creates(api, controller)
        fill(api, objects)
        measure_steady(controller, objects, 2)
        measure_restart(api, controller, objects)
        measure_deletes(api, controller, objects)
    finally:
        controller.stop("kill")


main(*sys.argv[1:])
