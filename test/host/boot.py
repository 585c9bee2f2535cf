"""boot.py PROBE FOLDER: the user data executed, boot after boot.

What was called, in order, and every file that came to be, with its mode, is compared with expected/NAME.txt;
TEE_UPDATE_EXPECTED=1 writes those anew: read the difference before it is committed. The two programs of
/usr/libexec/tee are compared with the text in the user data, and hostile values with themselves.
"""

import base64
import json
import os
import pathlib
import re
import sys

import root as roots

EMPTY_SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
EIF = {"eif": {"url": "s3://bucket/app.eif", "sha256": EMPTY_SHA}}
IMAGE = {"image": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/app@sha256:{EMPTY_SHA}"}
HOSTILE = ["$(touch /canary)", "`touch /canary`", "\"; touch /canary; \"", "'; touch /canary; '", "%n %i %H %s%%",
           "a\n#tee-config-v1-end\ntouch /canary\n", "--output=/canary", "-v/:/canary", "x | touch /canary #",
           "\\", "$IFS*", "{touch,/canary}", "\u00e4\u2028"]
passed = failed = 0


def check(name, condition, detail=""):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(f"{'ok  ' if condition else 'FAIL'} {name}")
    if not condition:
        print("     " + str(detail).replace("\n", "\n     ")[:6000])


def sample(source, **more):
    return {**source, "enclave": {"cpuCount": 2, "memoryMiB": 1024, "debugMode": False},
            "ports": [{"name": "web", "port": 443, "enclavePort": 8443}, {"name": "api", "port": 8080, "enclavePort": 80}],
            "egress": [{"name": "kms", "host": "kms.us-east-1.amazonaws.com", "port": 443, "vsockPort": 8000}],
            "attestation": {"protocol": "Native", "port": 1300}, **more}


def show_calls(calls):
    words = [" ".join(word if re.fullmatch(r"[\w@%+=:,./{}-]+", word) or record[0].startswith("--") else json.dumps(word)
                      for word in record) for record in calls]
    return "\n".join(words) + "\n"


def show_files(root):
    """Every file below the folders that the host may write to; programs only by name, as they are compared elsewhere."""
    lines = []
    for folder in ("etc", "run", "var/lib", "usr/libexec", "root", "tmp"):
        for path in sorted(root.path(folder).rglob("*")):
            name = f"/{path.relative_to(root.folder)}"
            if path.is_symlink():
                lines.append(f"{name} -> {os.readlink(path)}\n")
            elif path.is_file() and name not in ("/tmp/user-data", "/var/lib/installed", "/var/lib/version"):
                lines.append(f"{name} {path.stat().st_mode & 0o7777:o}\n")
                text = "" if name.startswith("/usr/libexec/tee/") else path.read_text()
                lines += [f"    {line}\n" for line in text.splitlines()]
    return "".join(lines)


def compare(name, actual):
    path = roots.HERE / "expected" / f"{name}.txt"
    if os.environ.get("TEE_UPDATE_EXPECTED"):
        path.write_text(actual)
    expected = path.read_text() if path.exists() else ""
    wrong = next((f"line {number}\nexpected: {want}\nactual:   {have}" for number, (want, have) in
                  enumerate(zip(expected.splitlines() + ["(end)"], actual.splitlines() + ["(end)"]), 1) if want != have), "")
    check(f"{name}: as in expected/{name}.txt", expected == actual, wrong)


def programs_of(text):
    return dict(re.findall(r"cat >(/usr/libexec/tee/\w+) <<'EOF'\n(.*?)^EOF\n", text, re.S | re.M))


def forget(root):
    """Another instance."""
    for folder in ("etc/systemd/system", "run", "var/lib", "usr/libexec"):
        for path in sorted(root.path(folder).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    root.calls()


def test_boots(root, name, config):
    forget(root)
    root.launch(config)
    root.first_boot()
    actual = show_calls(root.calls()) + show_files(root)
    for path, text in programs_of(root.user_data.decode()).items():
        check(f"{name}: {path} is the one of the user data", root.path(path).read_text() == text)
    root.next_boot()
    compare(name, actual + show_calls(root.calls()))


def test_script_again(root):
    """cloud-init runs the script once, but a person may do so again."""
    forget(root)
    root.launch(sample(EIF))
    root.first_boot()
    before = show_files(root)
    root.first_boot()
    check("the script again: the same files", show_files(root) == before)


def runs_enclave(calls):
    return any(record[:2] == ["nitro-cli", "run-enclave"] for record in calls)


def test_mended(root):
    """A first boot that was interrupted, or had no package mirror: the next one does it all."""
    forget(root)
    root.launch(sample(EIF))
    root.first_boot(does_start=False)
    check("interrupted after the script: nothing ran", not runs_enclave(root.calls()))
    root.next_boot()
    check("interrupted after the script: the next boot does it", runs_enclave(root.calls()))
    forget(root)
    root.path("var/lib/mirror-away").touch()
    root.first_boot()
    calls = root.calls()
    check("no package mirror: tee-config fails", ["-- unit", "tee-config", "exit 1"] in [record[:3] for record in calls], calls)
    check("no package mirror: nothing runs", not runs_enclave(calls), calls)
    root.path("var/lib/mirror-away").unlink()
    root.next_boot()
    check("no package mirror: the next boot does it", runs_enclave(root.calls()))


def test_versions(root):
    """An older vsock-proxy is brought up to date, or nothing runs and the console says why. All other boots have 1.10.0."""
    cases = (("1.3.1", None, True), ("1.3.0", "1.4.2", True), ("1.2.9", "1.3.0", False))
    for version, newer, is_good in cases:
        name = f"nitro-cli {version}, in the mirror {newer or 'no other'}"
        forget(root)
        root.launch(sample(EIF))
        root.path("var/lib/version").write_text(version)
        if newer:
            root.path("var/lib/newer").write_text(newer)
        root.first_boot()
        calls = root.calls()
        failed_unit = next((record for record in calls if record[:3] == ["-- unit", "tee-packages", "exit 1"]), None)
        check(f"{name}: {'runs' if is_good else 'does not run'}", runs_enclave(calls) == is_good, calls)
        check(f"{name}: tee-packages {'succeeds' if is_good else 'fails'}", (failed_unit is None) == is_good, calls)
        if not is_good:
            check(f"{name}: the phase is failed", root.path("run/tee/phase").read_text() == "failed\n")
            check(f"{name}: says why", failed_unit and "older than 1.3.1" in failed_unit[3], calls)


def test_wrong_file(root):
    for name, url, sha in (("another digest", "s3://bucket/app.eif", "0" * 64), ("another scheme", "ftp://h/app.eif", EMPTY_SHA),
                           ("an upper-case digest", "s3://bucket/app.eif", EMPTY_SHA.upper())):
        forget(root)
        root.launch(sample({"eif": {"url": url, "sha256": sha}}))
        root.first_boot()
        calls = root.calls()
        is_good = sha == EMPTY_SHA.upper()
        check(f"image file, {name}: {'runs' if is_good else 'does not run'}", runs_enclave(calls) == is_good, calls)
        check(f"image file, {name}: {'kept' if is_good else 'not kept'}", root.path("var/lib/tee/enclave.eif").exists() == is_good)
    forget(root)
    root.launch(sample(EIF))
    root.first_boot()
    root.path("var/lib/tee/enclave.eif").write_text("damaged")
    root.calls()
    root.next_boot()
    calls = root.calls()
    check("image file, damaged on the disk: fetched anew", any(record[0] == "aws" for record in calls) and runs_enclave(calls), calls)


def with_block(text, block):
    """The user data with another configuration block."""
    encoded = base64.b64encode(block.encode())
    return re.sub(rb"(?<=#tee-config-v1-begin\n)#[^\n]*", b"#" + encoded, text)


def test_refused(root, name, change):
    """A second boot whose block is not ours: no unit but tee-config does anything, and that fails."""
    forget(root)
    root.launch(sample(EIF))
    root.first_boot()
    root.calls()
    root.user_data = change(root.user_data)
    root.next_boot()
    calls = root.calls()
    ran = {record[0] for record in calls} & {"aws", "nitro-cli", "socat", "vsock-proxy", "docker", "dnf"}
    check(f"{name}: runs nothing", not ran, calls)
    check(f"{name}: tee-config fails", any(record[:3] == ["-- unit", "tee-config", "exit 1"] for record in calls), calls)
    check(f"{name}: the enclave's unit fails", ["-- unit", "tee-enclave", "exit 1"] in [record[:3] for record in calls], calls)
    check(f"{name}: the phase is failed", root.path("run/tee/phase").read_text() == "failed\n")


def refused_blocks():
    good = json.dumps({"version": 1, **sample(EIF)})
    yield "version 2", lambda text: with_block(text, good.replace('"version": 1', '"version": 2'))
    yield "version \"1\"", lambda text: with_block(text, good.replace('"version": 1', '"version": "1"'))
    yield "no version", lambda text: with_block(text, good.replace('"version": 1, ', ""))
    yield "two values", lambda text: with_block(text, '{"version":2}' + good)
    yield "no JSON", lambda text: with_block(text, "hello")
    yield "no block", lambda text: b"#!/bin/bash\n"
    yield "a block of version 2", lambda text: text.replace(b"config-v1-", b"config-v2-")


def test_hostile_numbers(root):
    """Where the controller writes numbers, text is refused by the units, before a program sees it."""
    evil = "80,exec:touch /canary"
    config = {"version": 1, **sample(EIF)}
    config["ports"] = [{"name": "web", "port": evil, "enclavePort": evil}]
    config["egress"] = [{"name": "kms", "host": "h", "port": evil, "vsockPort": evil}]
    config["attestation"] = {"protocol": "Native", "port": evil}
    config["enclave"] = {"cpuCount": evil, "memoryMiB": evil, "debugMode": False}
    forget(root)
    root.launch(sample(EIF))
    root.user_data = with_block(root.user_data, json.dumps(config))
    root.first_boot()
    calls = root.calls()
    check("text for numbers: reaches nobody", not any(evil in word for record in calls for word in record), calls)
    check("text for numbers: nothing runs", not {record[0] for record in calls} & {"socat", "vsock-proxy", "nitro-cli"}, calls)


def test_hostile(root, value):
    shown = json.dumps(value)
    eif = {"eif": {"url": "s3://" + value, "sha256": EMPTY_SHA}}
    for source in (eif, {"image": value}):
        forget(root)
        root.launch(sample(source, ports=[{"name": value, "port": 443, "enclavePort": 8443}],
                           egress=[{"name": value, "host": value, "port": 443, "vsockPort": 8000}],
                           attestation={"protocol": value, "port": 1300}))
        root.first_boot()
        calls = root.calls()
        fetched = ["aws", "s3", "cp", "--no-progress", "s3://" + value, "/var/lib/tee/enclave.eif.new"]
        pulled = ["docker", "pull", "-q", "--", value.rstrip("\n")]
        wanted = fetched if source is eif else pulled
        proxied = ["vsock-proxy", "--num_workers", "128", "--config", "/run/tee/vsock-proxy.yaml", "--", "8000", value.rstrip("\n"), "443"]
        trimmed = [[word.rstrip("\n") for word in record] for record in calls]
        check(f"hostile {shown}: one argument of the download", [word.rstrip("\n") for word in wanted] in trimmed, calls)
        check(f"hostile {shown}: one argument of vsock-proxy", proxied in trimmed, calls)
        config = json.loads(root.path("run/tee/config.json").read_text())
        check(f"hostile {shown}: the configuration keeps it",
              config["egress"][0]["host"] == value and config["attestation"]["protocol"] == value
              and config["ports"][0]["name"] == value, config)
        check(f"hostile {shown}: is never executed", not root.path("canary").exists(), calls)


def main():
    root = roots.Root(sys.argv[2], sys.argv[1])
    roots.bring_network_up()
    root.make()
    root.serve_metadata()
    test_boots(root, "eif", sample(EIF))
    test_boots(root, "image", sample(IMAGE, enclave={"cpuCount": 2, "memoryMiB": 512, "debugMode": True}))
    test_boots(root, "bare", sample(EIF, ports=[], egress=[], attestation={"protocol": "Disabled"}))
    test_script_again(root)
    test_mended(root)
    test_versions(root)
    test_wrong_file(root)
    for name, change in refused_blocks():
        test_refused(root, name, change)
    test_hostile_numbers(root)
    for value in HOSTILE:
        test_hostile(root, value)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
