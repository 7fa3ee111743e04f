"""The table of readers: arrays, pictures and videos."""

import functools
import io
import struct

import numpy as np

from common.data import feature_arrays, feature_files, feature_store
from common.errors import UserError
from common.media import frame_folders, images, videos
from tests.fuzz.targets import TABLES, Target, write, zipped
from tests.support import images as pictures
from tests.support.videos import moving_square

SIZE = 8


# --- arrays -------------------------------------------------------------


def pack_array(values):
    packed = io.BytesIO()
    np.save(packed, values)
    return packed.getvalue()


def pack_arrays(**values):
    packed = io.BytesIO()
    np.savez(packed, **values)
    return packed.getvalue()


def npy_seeds():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    return tuple(
        map(
            pack_array,
            (values, values.T.astype(np.float16), values.astype("u1"))
            + (np.asfortranarray(values), values.astype(">f8"), values > 3),
        )
    )


def npz_seeds():
    names = np.array(["a.jpg", "b.jpg"])
    values = np.ones((2, 4), np.float32)
    scale = {"low": np.zeros(4, np.float32), "step": np.ones(4, np.float32)}
    return (
        pack_arrays(names=names, features=values),
        pack_arrays(names=names.astype("S"), features=values[:, None]),
        pack_arrays(names=names, features=values.astype("u1"), **scale),
        pack_arrays(
            names=names,
            features=values,
            encoder=np.array('{"encoder": "x"}'),
            stamps=np.array(["1 2", "3 4"]),
        ),
    )


HEADERS = (
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
    b"{'descr': '<U1', 'fortran_order': True, 'shape': (2,)}",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}",
)
HEADER_WORDS = (
    *[b"(", b")", b"(2**70,)", b"(0, 3)", b"(True, 3)", b"(-1, 3)", b"'<U0'"],
    *[b"(1, 1000000000000)", b"'<f2'", b"'|V0'", b"[('a', '<f4')]", b"'<M8'"],
    *[b"10000000000", b"'|S0'", b"'<c8'", b"L", b"1if", b"1_0", b"'V9'", b"()"],
)


def with_header(content):
    """An array whose header is a content; its values are ones."""
    head = content.ljust(63) + b"\n"
    size = struct.pack("<H", len(head) % 2**16)
    ones = np.arange(65, 97, dtype=np.int32).tobytes()
    return b"\x93NUMPY\x01\x00" + size + head + ones


def read_npy(folder, content):
    feature_arrays.load(write(folder, "a.npy", content))


def read_npy_header(folder, content):
    read_npy(folder, with_header(content))


def read_npz(folder, content):
    features = feature_files.load(write(folder, "a.npz", content))
    features.take(np.arange(len(features.names)))
    assert all(isinstance(name, str) for name in features.names)


def read_npz_header(member):
    """Puts a header in the place of that of a member."""

    def read(folder, content):
        members = {
            "names": pack_array(np.array(["a", "b"])),
            "features": pack_array(np.ones((2, 3), np.float32)),
            "encoder": pack_array(np.array("{}")),
            member: with_header(content),
        }
        read_npz(
            folder,
            zipped(*((f"{name}.npy", x) for name, x in members.items())),
        )

    return read


def read_npz_encoder(folder, content):
    names, values = np.array(["a", "b"]), np.ones((2, 3), np.float32)
    text = np.array(content.decode("utf-8", "replace"))
    read_npz(folder, pack_arrays(names=names, features=values, encoder=text))


def times_seeds():
    numbers = np.arange(3)
    return (pack_arrays(numbers=numbers, times=numbers / 2, total=np.array(3)),)


def read_times(folder, content):
    write(folder, "times/v.npz", content)
    store = feature_store.FeatureFolder(folder, {})
    store._lock.release()
    store.read_times("v")


# --- pictures -----------------------------------------------------------


@functools.cache
def _decode_batch():
    import tensorflow as tf

    return tf.function(
        lambda contents: images.decode_batch(contents, SIZE),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )


def read_picture(folder, content):
    """Reads a picture in all ways; all say the same of it."""
    import tensorflow as tf

    path = write(folder, "a.png", content)
    error = images.decode_error(path)
    assert error == images.decode_error(content)
    pixels, is_read = _decode_batch()(tf.constant([content, pictures.PNG]))
    assert is_read.numpy().tolist() == [error is None, True]
    assert np.isfinite(pixels).all()
    if error:
        raise UserError(f"{path}: {error}")
    assert min(images.read_size(path)) >= 0


def read_frames(folder, content):
    path = write(folder, "0.png", content)
    frames = frame_folders.read_frames([path], SIZE)
    assert frames.shape == (1, SIZE, SIZE, 3)


def jpeg_seeds():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    jpeg = pictures.JPEG
    return jpeg, jpeg[:2] + segment + jpeg[2:], pictures.CMYK_JPEG


def png_seeds():
    return (
        pictures.PNG,
        pictures.PALETTE_PNG,
        pictures.CLEAR_PALETTE_PNG,
        pictures.grey_png(3, 5),
    )


def bmp_seeds():
    whole = pictures.bmp(pictures.NOISE[:4, :5])
    palette = whole[:10] + struct.pack("<I", 62) + whole[14:28]
    palette += struct.pack("<H", 1) + whole[30:54] + bytes(8) + bytes(16)
    return whole, palette


def frame_seeds():
    return *png_seeds(), *jpeg_seeds()


# --- videos -------------------------------------------------------------


@functools.cache
def video_seeds():
    import tempfile
    from pathlib import Path

    frames = moving_square(6)[:, :16, :16]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"a{x}" for x in (".mp4", ".avi", ".mkv")]
        for path in paths:
            videos.write_video(path, frames, 10.0)
        return (*(x.read_bytes() for x in paths), pictures.ANIMATED_GIF)


def read_video(folder, content):
    path = write(folder, "a.mp4", content)
    videos.duration(path, 0.0)
    clip = videos.read_clip(path, SIZE, 0.0)
    assert len(clip.values) == len(clip.times) == clip.total > 0
    assert (np.diff(clip.times) >= 0).all()


MEDIA = (
    Target("npy", npy_seeds, read_npy, (b"\x93NUMPY",)),
    Target("npy header", lambda: HEADERS, read_npy_header, HEADER_WORDS),
    Target("npz", npz_seeds, read_npz, (b"PK\x01\x02", b".npy")),
    Target(
        "npz header",
        lambda: HEADERS,
        read_npz_header("features"),
        HEADER_WORDS,
    ),
    Target(
        "npz names", lambda: HEADERS, read_npz_header("names"), HEADER_WORDS
    ),
    Target(
        "npz encoder",
        lambda: (b'{"encoder": "x", "size": [1, 2]}',),
        read_npz_encoder,
    ),
    Target("npz times", times_seeds, read_times),
    Target("jpeg", jpeg_seeds, read_picture, (b"\xff\xd8\xff", b"Exif"), True),
    Target("png", png_seeds, read_picture, (b"IHDR", b"tRNS", b"eXIf"), True),
    Target(
        "gif",
        lambda: (pictures.ANIMATED_GIF,),
        read_picture,
        (b"\x21\xf9\x04", b"\x2c", b"\x3b", b"GIF89a", b"\x21"),
        True,
    ),
    Target("bmp", bmp_seeds, read_picture, (b"BM",), True),
    Target("frames", frame_seeds, read_frames, (), True),
    Target("video", video_seeds, read_video, (b"ftyp", b"moov", b"mdat")),
)
TARGETS = {target.name: target for target in (*TABLES, *MEDIA)}
