"""Compares the CBOR decoder with cbor2, an implementation of another maker, over generated and damaged input.

cbor_against_cbor2.py CBOR_DUMP [SEED [ROUNDS]]

Two claims are checked. What ours accepts, cbor2 accepts, to the last byte and with the same value. What cbor2 writes
in canonical form, within our bounds (four containers deep), ours accepts. Ours refuses more than cbor2 by intent (longer
forms, strings in chunks, depth), so that the opposite is not asked for.
"""

import io
import json
import random
import subprocess
import sys

try:
    import cbor2
except ImportError:
    print("cbor2 is not installed (Debian package python3-cbor2): skipped")
    sys.exit(77)

DEPTH_MAX = 4
PLAIN_TAGS = {18, 40000}  # tags that cbor2 does not interpret


def random_value(rng, depth):
    kinds = ["uint", "negative", "bytes", "text", "null", "simple"]
    if depth > 0:
        kinds += ["array", "map", "tag"] * 2
    kind = rng.choice(kinds)
    if kind == "uint":
        return rng.choice([0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1, rng.getrandbits(64)])
    if kind == "negative":
        return -1 - rng.choice([0, 23, 24, 255, 256, 2**32, 2**64 - 1, rng.getrandbits(64)])
    if kind == "bytes":
        return rng.randbytes(rng.choice([0, 1, 23, 24, 48, 255, 256, 700]))
    if kind == "text":
        return "".join(rng.choice("aZ0-\u00e9\u20ac\U0001f512") for _ in range(rng.choice([0, 1, 9, 23, 24, 300])))
    if kind == "simple":
        return rng.choice([True, False, 1.5, float("inf"), cbor2.CBORSimpleValue(99)])
    if kind == "array":
        return [random_value(rng, depth - 1) for _ in range(rng.choice([0, 1, 4, 23, 24]))]
    if kind == "map":
        keys = [rng.choice([i, -1 - i, str(i), bytes([i])]) for i in range(rng.choice([0, 1, 9, 30]))]
        return {key: random_value(rng, depth - 1) for key in keys}
    if kind == "tag":
        return cbor2.CBORTag(rng.choice(sorted(PLAIN_TAGS)), random_value(rng, depth - 1))
    return None


def damage(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        where = rng.randrange(len(data)) if data else 0
        what = rng.randrange(4)
        if what == 0 and data:
            data[where] ^= 1 << rng.randrange(8)
        elif what == 1:
            data.insert(where, rng.choice([0x00, 0x5F, 0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xF6, 0xFF, rng.randrange(256)]))
        elif what == 2 and data:
            del data[where]
        elif data:
            del data[where:]
    return bytes(data)


class Unsure(Exception):
    """The two may differ here, and it is known why: tags that cbor2 interprets, text that is not UTF-8."""


def hashable(value):
    if isinstance(value, (list, tuple)):
        return tuple(hashable(one) for one in value)
    if isinstance(value, dict):
        return tuple(sorted(((repr(hashable(key)), hashable(one)) for key, one in value.items()), key=repr))
    return value


def from_dump(node):
    (name, value), = node.items()
    if name == "u":
        return ("int", int(value))
    if name == "n":
        return ("int", -1 - int(value))
    if name == "b":
        return ("bytes", value)
    if name == "t":
        try:
            bytes.fromhex(value).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unsure from error
        return ("text", value)
    if name == "a":
        return ("array", tuple(from_dump(one) for one in value))
    if name == "m":
        # The last of two equal keys wins in cbor2; that pairs are reported at all is for attest_doc.c to judge.
        pairs = {from_dump(key): from_dump(one) for key, one in value}
        return ("map", frozenset(pairs.items()))
    if name == "g":
        if int(value[0]) not in PLAIN_TAGS:
            raise Unsure
        return ("tag", int(value[0]), from_dump(value[1]))
    return ("null",) if name == "z" else ("simple",)


def from_cbor2(value):
    if value is None:
        return ("null",)
    if isinstance(value, (bool, float, cbor2.CBORSimpleValue)) or value is cbor2.undefined:
        return ("simple",)
    if isinstance(value, int):
        return ("int", value)
    if isinstance(value, bytes):
        return ("bytes", value.hex())
    if isinstance(value, str):
        return ("text", value.encode("utf-8").hex())
    if isinstance(value, (list, tuple)):
        return ("array", tuple(from_cbor2(one) for one in value))
    if isinstance(value, cbor2.CBORTag):
        return ("tag", value.tag, from_cbor2(value.value))
    if hasattr(value, "items"):
        return ("map", frozenset((from_cbor2(key), from_cbor2(one)) for key, one in value.items()))
    raise Unsure


def decode_whole(data):
    stream = io.BytesIO(data)
    value = cbor2.load(stream)
    if stream.read(1):
        raise ValueError("bytes after the item")
    return value


def compare(data, line, must_accept):
    if line == "skip disagrees":
        return "reading and skipping disagree"
    if line == "malformed":
        return "refused, although canonical" if must_accept else None
    try:
        ours = from_dump(json.loads(line))
        theirs = from_cbor2(decode_whole(data))
    except Unsure:
        return None
    except Exception as error:  # whatever cbor2 raises for malformed input
        return f"accepted, but cbor2 says {error!r}"
    # Keys that are equal in Python but not in CBOR (1, 1.0, True) merge in cbor2's dict.
    if ours != theirs and not has_mixed_keys(json.loads(line)):
        return f"ours {ours}, cbor2 {theirs}"
    return None


def has_mixed_keys(node):
    (name, value), = node.items()
    if name == "m":
        kinds = {next(iter(key)) for key, _ in value}
        return "s" in kinds or any(has_mixed_keys(key) or has_mixed_keys(one) for key, one in value)
    if name == "a":
        return any(has_mixed_keys(one) for one in value)
    return name == "g" and has_mixed_keys(value[1])


def main():
    program = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1500
    rng = random.Random(seed)
    cases = []
    for _ in range(rounds):
        good = cbor2.dumps(random_value(rng, DEPTH_MAX), canonical=True)
        cases.append((good, True))
        cases += [(damage(rng, good), False) for _ in range(8)]
        cases.append((rng.randbytes(rng.randrange(1, 40)), False))
    text = "".join(data.hex() + "\n" for data, _ in cases)
    answer = subprocess.run([program], input=text, capture_output=True, text=True, check=True, timeout=240)
    lines = answer.stdout.splitlines()
    assert len(lines) == len(cases), "cbor_dump stopped early"
    accepted = 0
    for (data, must_accept), line in zip(cases, lines):
        accepted += line != "malformed"
        problem = compare(data, line, must_accept)
        if problem:
            print(f"{data.hex()}: {problem}")
            sys.exit(1)
    print(f"{len(cases)} inputs, {accepted} of them accepted by ours, all of those by cbor2 with the same value")


main()
