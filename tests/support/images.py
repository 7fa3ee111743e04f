"""Pictures of every format, some of which TensorFlow cannot write."""

import base64
import struct
import zlib

import numpy as np
import tensorflow as tf

# Made once with Pillow: 4 x 2 pixels of
# RED; the second frame of the animation, and the last column of the palettes,
# are BLUE. RED is transparent in the second palette.
CMYK_JPEG = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwL"
    "CgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwPFxgWFBgSFBUU/8AAFAgAAgAEBEMRAE0RAFkRAEsR"
    "AP/EABUAAQEAAAAAAAAAAAAAAAAAAAgJ/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAA4EQwBN"
    "AFkASwAAPwBgJ9CUqm//2Q=="
)
ANIMATED_GIF = base64.b64decode(
    "R0lGODdhBAACAIEAAMgePAAAAAAAAAAAACwAAAAABAACAAAIBwABCBwoMCAAIfkEAQAAAQAs"
    "AAAAAAQAAgCBChT6AAAAAAAAAAAACAcAAQgcKDAgADs="
)
PALETTE_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAACAQMAAABFZu8gAAAABlBMVEXIHjwKFPpDoAJtAAAA"
    "DElEQVR4nGMQYGIAAAA4ABNP44cVAAAAAElFTkSuQmCC"
)
CLEAR_PALETTE_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAACAQMAAABFZu8gAAAABlBMVEXIHjwKFPpDoAJtAAAA"
    "AXRSTlMAQObYZgAAAAxJREFUeJxjEGBiAAAAOAATT+OHFQAAAABJRU5ErkJggg=="
)
RED = [200, 30, 60]
BLUE = [10, 20, 250]
NOISE = np.random.default_rng(0).integers(0, 256, [20, 30, 3], np.uint8)
JPEG = tf.io.encode_jpeg(NOISE).numpy()
PNG = tf.io.encode_png(NOISE).numpy()


def bmp(rows):
    """A BMP of 24 bits, as its format says: from the bottom, blue first."""
    height, width, _ = rows.shape
    body = b"".join(
        row[:, ::-1].tobytes().ljust((3 * width + 3) // 4 * 4, b"\0")
        for row in rows[::-1]
    )
    head = struct.pack("<2sIII", b"BM", 54 + len(body), 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)
    return head + info + body


def grey_png(height, width):
    """A PNG of black pixels, of any size."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    row = bytes(width + 1)
    body = b"".join([packer.compress(row) for _ in range(height)])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", body + packer.flush())
        + chunk(b"IEND", b"")
    )


def write_pictures(folder, count, start=0):
    """Writes small pictures of noise; returns all of the folder, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        rng = np.random.default_rng(number)
        picture = rng.integers(0, 256, [24, 32, 3], np.uint8)
        content = tf.io.encode_jpeg(picture).numpy()
        (folder / f"{number:03}.jpg").write_bytes(content)
    return {path.name: path for path in sorted(folder.iterdir())}
