"""A small root directory in which the user data runs for real, with stubs for what would leave it.

Works inside a mount and network namespace of its own (in_namespace.sh makes them): /usr is the machine's and
read-only, /usr/libexec and everything else belong to the test. PATH begins with the stubs. Every stub and the stub of
the metadata service append one record to a log, arguments parted by 0x1f, records ended by 0x1e, so that the order of
calls and every byte of every argument can be checked. Units are run as systemd would: in the order of After= and
Before=, each when nothing that it waits for is queued.
"""

import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

HERE = pathlib.Path(__file__).resolve().parent
IMDS = "169.254.169.254"
TOKEN = "AQAEtoken"
PATH = "/stub:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command):
    subprocess.run(command, check=True)


def bring_network_up():
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{IMDS}/32", "dev", "lo")


class Metadata(http.server.BaseHTTPRequestHandler):
    """IMDSv2: no token, no answer."""

    def answer(self, status, body=b""):
        self.server.root.log("imds", self.command, self.path, str(status))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        has_life = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds") == "300"
        known = self.path == "/latest/api/token" and has_life
        self.answer(200 if known else 400, TOKEN.encode() if known else b"")

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self.answer(401)
        elif self.path == "/latest/user-data":
            self.answer(200, self.server.root.user_data)
        else:
            self.answer(404)

    def log_message(self, *_):
        pass


class Root:
    def __init__(self, folder, probe):
        self.folder = pathlib.Path(folder)
        self.probe = probe
        self.user_data = b""
        self.mutex = threading.Lock()
        self.imds = None

    def path(self, name):
        return self.folder / name.lstrip("/")

    def make(self):
        run("mount", "-t", "tmpfs", "none", str(self.folder))
        for name in ("usr", "dev", "proc", "etc/systemd/system", "run", "var/lib", "tmp", "root", "stub", "log"):
            self.path(name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib32", "lib64"):
            if os.path.islink("/" + name):
                self.path(name).symlink_to(os.readlink("/" + name))
        for name in ("usr", "dev", "proc"):
            run("mount", "--rbind", "/" + name, str(self.path(name)))
        subprocess.run(["mount", "-o", "remount,bind,ro", str(self.path("usr"))], check=False)
        run("mount", "-t", "tmpfs", "none", str(self.path("usr/libexec")))
        for stub in (HERE / "stubs").iterdir():
            shutil.copy(stub, self.path("stub"))
            self.path("stub/" + stub.name).chmod(0o755)

    def serve_metadata(self):
        self.imds = http.server.ThreadingHTTPServer((IMDS, 80), Metadata)
        self.imds.root = self
        threading.Thread(target=self.imds.serve_forever, daemon=True).start()

    def launch(self, config):
        """User data for the configuration, as the controller makes it."""
        text = json.dumps(config).encode("utf-8")
        self.user_data = subprocess.run([self.probe, "userdata"], input=text, stdout=subprocess.PIPE, check=True).stdout

    def log(self, *record):
        with self.mutex, open(self.path("log/calls"), "ab") as file:
            file.write("\x1f".join(record).encode("utf-8", "surrogateescape") + b"\x1e")

    def calls(self):
        path = self.path("log/calls")
        data = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
        path.unlink(missing_ok=True)
        return [record.split("\x1f") for record in data.split("\x1e")[:-1]]

    def execute(self, command, environment=(), **options):
        """Exit status of a command inside the root; what it says is kept for failures."""
        env = {"PATH": PATH, **dict(environment)}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, **options}
        result = subprocess.run(command, env=env, cwd="/", preexec_fn=lambda: os.chroot(self.folder), check=False,
                                timeout=60, **options)
        self.said = (result.stdout or b"").decode("utf-8", "replace")
        return result.returncode

    def first_boot(self, does_start=True):
        """What cloud-init does, once in an instance's life; then the units, if the machine gets that far."""
        script = self.path("tmp/user-data")
        script.write_bytes(self.user_data)
        script.chmod(0o700)
        self.log("-- first boot: the script", str(self.execute(["/tmp/user-data"])))
        if does_start:
            self.run_queue()

    def next_boot(self):
        """/run is empty and the enabled units start; the script does not run."""
        shutil.rmtree(self.path("run"))
        self.path("run").mkdir()
        wants = self.path("etc/systemd/system/multi-user.target.wants")
        self.log("-- next boot")
        names = sorted((path.name for path in wants.iterdir()), reverse=True)
        self.path("run/queue").write_text("".join(name + "\n" for name in names))
        self.run_queue()

    def unit(self, name):
        """The unit's settings; the template's for an instance of one."""
        template = re.sub(r"@.*", "@", name)
        path = self.path(f"etc/systemd/system/{template}.service")
        settings = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            key, _, value = line.partition("=")
            settings.setdefault(key, []).append(value)
        return settings

    def waits_for(self, name, queue):
        after = {word.removesuffix(".service") for line in self.unit(name).get("After", []) for word in line.split()}
        before = {other for other in queue for line in self.unit(other).get("Before", [])
                  if f"{name}.service" in line.split()}
        return (after | before) & (set(queue) - {name})

    def run_queue(self):
        queue = []
        while True:
            path = self.path("run/queue")
            queue += [name for name in path.read_text().split() if name not in queue] if path.exists() else []
            path.unlink(missing_ok=True)
            if not queue:
                return
            ready = [name for name in queue if not self.waits_for(name, queue)]
            if not ready:
                raise AssertionError(f"the units wait for each other: {queue}")
            queue.remove(ready[0])
            self.run_unit(ready[0])

    def run_unit(self, name):
        settings = self.unit(name)
        if not settings:
            self.log("-- unit", name, "of a package")
            return
        self.log("-- unit", name)
        environment = [tuple(text.split("=", 1)) for text in settings.get("Environment", [])]
        instance = name.partition("@")[2]
        command = [word.replace("%i", instance) for word in settings["ExecStart"][0].split()]
        status = self.execute(command, environment)
        if status:
            self.log("-- unit", name, f"exit {status}", self.said.strip().splitlines()[-1] if self.said.strip() else "")
