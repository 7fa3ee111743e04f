"""Damage of files: what disks, editors, other programs and people do."""

import json
import random

# What parsers stumble over.
PIECES = (
    *[b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\xbd"],
    b"\x1b[31m",
    *[b"\r", b"\n", b"\r\n", b"\t", b",", b";", b'"', b"'", b"#", b"\\", b" "],
    *[b"[", b"{", b"}", b"]", b"[" * 5_000, b"{}", b"null", b"NaN", b"-1"],
    *[b"1" * 5_000, b"1e999", b"\xc2\xb2", "٣".encode(), b"PK\x03\x04"],
    *[b"\x1f\x8b", b"../", b"/etc/passwd", b"con", b".", "\u2028".encode()],
    "\u202e".encode(),
)
WHOLE = (b"", b"{}", b"[]", b"null", b"1", b"\0" * 100, b"text\n", b"\r\n")


def damage(content: bytes, rng: random.Random) -> bytes:
    """Returns a content with one kind of damage."""
    start, end = sorted(rng.choices(range(len(content) + 1), k=2))
    kind = rng.randrange(8)
    if kind == 0 and content:
        changed = bytearray(content)
        changed[min(start, len(content) - 1)] ^= 1 << rng.randrange(8)
        return bytes(changed)
    if kind == 1:
        return content[:start] + rng.choice(PIECES) + content[start:]
    if kind == 2:
        return content[:start] + rng.choice(PIECES) + content[end:]
    if kind == 3:
        return content[:start] + content[end:]
    if kind == 4:
        return content[:end] + content[start:]
    if kind == 5:
        return content[:start]
    if kind == 6:
        return rng.choice(WHOLE)
    noise = rng.randbytes(rng.randrange(1, 9))
    return content[:start] + noise + content[start + len(noise) :]


def damage_files(
    files: dict[str, bytes], rng: random.Random
) -> dict[str, bytes]:
    """Returns files of which one or more are damaged, lost or renamed."""
    result = dict(files)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = rng.choice(sorted(result))
        kind = rng.randrange(20)
        if kind == 0 and len(result) > 1:
            del result[name]
        elif kind == 1:
            result[f"{name}{rng.choice(('.gz', '.bak', '²', ' copy'))}"] = (
                result[name]
            )
        elif kind == 2 and name.endswith(".json"):
            result[name] = _change_json(result[name], rng)
        else:
            result[name] = damage(result[name], rng)
    return result


def _change_json(content: bytes, rng: random.Random) -> bytes:
    """Puts another kind of value in the place of one."""
    try:
        value = json.loads(content)
    except ValueError:
        return content
    if not isinstance(value, dict) or not value:
        return b"[]"
    key = rng.choice(sorted(value))
    value[key] = rng.choice((None, [], {}, "text", -1, 1e99, True, "\ud83d"))
    return json.dumps(value).encode()
