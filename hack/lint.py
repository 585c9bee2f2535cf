"""Checks layers, sizes, complexity and banned functions of the C files. Run by hack/lint.sh from the root of the tree.

It reads text and knows no C beyond what the format (.clang-format) guarantees: a function's braces stand alone in
column 0. That keeps it fast and free of dependencies; what it cannot see, the compilers' warnings do.
"""

import pathlib
import re
import sys
from fnmatch import fnmatch

# What each folder may include of the project. A file may always include from its own folder.
LAYERS = {
    "pkg/base": {"base"},
    "pkg/http": {"base", "http"},
    "pkg/api": {"base", "api"},
    "pkg/kube": {"base", "http", "api", "kube"},
    "pkg/nitro": {"base", "http", "nitro"},
    "pkg/evidence": {"base", "api", "nitro", "evidence"},
    "pkg/reconcile": {"base", "api", "reconcile"},
    "cmd/attester": {"base", "nitro"},
    "test/attester": {"base", "nitro", "pki"},
    "test/pki": {"base", "pki"},
    "test/sim": {"base", "http", "nitro", "pki", "sim"},
    "test/scenario": {"base", "api", "reconcile"},
    "test/torture": {"base", "api", "reconcile"},
}
FOLDERS = {"base", "http", "api", "kube", "nitro", "evidence", "reconcile", "pki", "sim"}

# Who may include a third-party header. Tests may use what they test against.
LIBRARIES = {
    "curl/*": ["pkg/http/client*.c"],
    "libwebsockets.h": ["pkg/http/server.c", "test/sim/*.c"],
    "expat.h": ["pkg/nitro/xml.c"],
    "sodium.h": ["cmd/attester/attester.c"],
    "yaml.h": ["pkg/kube/yaml_tree.c"],
    "jansson.h": ["pkg/api/json_read.h", "pkg/api/*.c", "pkg/kube/*.c", "pkg/nitro/*.c", "cmd/*", "test/*"],
    "openssl/*": ["pkg/base/*.c", "pkg/http/*.c", "pkg/kube/*.c", "pkg/nitro/*", "cmd/controller/*", "cmd/kubectl-tee/*", "test/*"],
}

BANNED = re.compile(r"\b(v?sprintf|strcpy|strcat|strtok|atoi|atol|gets|localtime|u?sleep)\s*\(")
BRANCH = re.compile(r"\b(?:if|for|while|case)\b|&&|\|\||\?")
WRITABLE = re.compile(r"^\s*static (?!const\b|inline\b|_Atomic\b|thread_local\b|_Thread_local\b)[^()]*?(?:=|;|\[)")
# What is told to people, and the names of what must never be. Arguments are looked at without their literals.
TOLD = re.compile(r"\b(?:STR|DETAIL|OBJECT|error_set|error_wrap)\(((?:[^();]|\((?:[^();]|\([^();]*\))*\))*)\)")
SECRET = re.compile(r"\b\w*(?:secret|password|token|key_pem|authorization|user_data|document|nonce)\w*\b(?!\s*\()")
# A revealed secret is sent or computed with; secret_prefixed() makes the lines that hold one.
FORMATTED = re.compile(r"\b(?:STR|DETAIL|OBJECT|error_set|error_wrap|\w*printf)\(((?:[^();]|\((?:[^();]|\([^();]*\))*\))*)\)")
FUNCTION_LINES, COMPLEXITY, FILE_LINES, HEADER_LINES, PARAMETERS = 60, 15, 600, 150, 5

problems = []


def problem(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def without_text(source):
    """Comments, strings and character constants replaced by blanks; every line stays where it is."""
    pattern = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)


def check_includes(path, source):
    folder = next((name for name in LAYERS if fnmatch(path, name + "/*")), None)
    seen = set()
    for number, line in enumerate(source.splitlines(), 1):
        match = re.match(r'#include ([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        header = match.group(2)
        if match.group(1) == "<":
            for library, users in LIBRARIES.items():
                if fnmatch(header, library) and not any(fnmatch(path, user) for user in users):
                    problem(path, number, f"<{header}> is not for this file; see LIBRARIES in hack/lint.py")
            continue
        top = header.split("/")[0]
        if "/" in header and top in FOLDERS:
            seen.add(top)
            if folder and top not in LAYERS[folder]:
                problem(path, number, f"{folder} must not include {top}/")
    outside = path.startswith("cmd/") and not path.startswith("cmd/controller/")
    if outside and "reconcile" in seen and seen & {"kube"}:
        problem(path, 1, "only cmd/controller may see both reconcile/ and kube/")


def table_lines(body):
    """Lines inside initializers of several lines: tables are data and do not count as code."""
    inside, count = None, 0
    for line in body:
        indent = len(line) - len(line.lstrip())
        if inside is None and re.search(r"=\s*\{\s*$", line):
            inside = indent
        elif inside is not None:
            if line.strip().startswith("};") and indent == inside:
                inside = None
            else:
                count += 1
    return count


def parameter_count(head):
    """What goes in: ctx, err and ret_ parameters are conventions of every call and cost no reader anything."""
    inside = head[head.index("(") + 1 : head.rindex(")")]
    previous = None
    while inside != previous:
        previous, inside = inside, re.sub(r"\([^()]*\)", "", inside)
    names = [re.sub(r"\[.*", "", part).split()[-1].lstrip("*") for part in inside.split(",") if part.strip()]
    return len([name for name in names if name not in ("void", "ctx", "err") and not name.startswith("ret_")])


def check_function(path, name, head, start, body):
    lines = len(body) - table_lines(body)
    if lines > FUNCTION_LINES:
        problem(path, start, f"{name} has {lines} lines, more than {FUNCTION_LINES}")
    complexity = 1 + len(BRANCH.findall("\n".join(body)))
    if complexity > COMPLEXITY:
        problem(path, start, f"{name} has complexity {complexity}, more than {COMPLEXITY}")
    if parameter_count(head) > PARAMETERS:
        problem(path, start, f"{name} has {parameter_count(head)} parameters, more than {PARAMETERS}")


def check_told(path, code):
    for call in TOLD.finditer(code):
        name = SECRET.search(call.group(1))
        if name:
            problem(path, code.count("\n", 0, call.start()) + 1, f"{name.group()} is a secret or a document, by its name, and is told to people")


def check_revealed(path, code):
    for call in FORMATTED.finditer(code):
        if "secret_reveal" in call.group(1):
            problem(path, code.count("\n", 0, call.start()) + 1, "secret_reveal() in what is told to people or formatted")


def check_functions(path, lines):
    head_start = 0
    index = 0
    while index < len(lines):
        line = lines[index]
        if line == "{":
            head = " ".join(lines[head_start:index])
            end = next(i for i in range(index, len(lines)) if lines[i].startswith("}"))
            name = re.search(r"(\w+)\s*\(", head)
            if name and ")" in head:
                check_function(path, name.group(1), head, head_start + 1, lines[head_start : end + 1])
            index = end
            head_start = end + 1
        elif not line.strip() or line.endswith(";") or line.startswith(("#", "}")):
            head_start = index + 1
        index += 1


def check_file(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    limit = HEADER_LINES if path.endswith(".h") else FILE_LINES
    count = text.count("\n")
    if count > limit:
        problem(path, count, f"{count} lines, more than {limit}")
    if pathlib.Path(path).stem in ("util", "utils", "misc", "common", "helpers"):
        problem(path, 1, "a file's name says what is in it")
    if not path.endswith((".c", ".h")):
        return
    check_includes(path, text)
    code = without_text(text)
    lines = code.splitlines()
    for number, line in enumerate(lines, 1):
        match = BANNED.search(line)
        if match:
            problem(path, number, f"{match.group(1)} is banned")
        if WRITABLE.match(line) and path.startswith(("pkg/", "cmd/")) and "const " not in line:
            problem(path, number, "writable static state")
    if path.startswith(("pkg/", "cmd/")):
        check_told(path, code)
        check_revealed(path, code)
    check_functions(path, lines)


for root in ("cmd", "pkg", "test", "hack"):
    for found in sorted(pathlib.Path(root).rglob("*")):
        if found.suffix in (".c", ".h", ".sh", ".py") and found.is_file():
            check_file(found.as_posix())
if problems:
    print("\n".join(problems), file=sys.stderr)
    sys.exit(1)
