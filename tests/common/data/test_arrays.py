import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from common.data import arrays

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def npy(header, data=b""):
    """The bytes of a file with a header of one's own."""
    text = header.encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npz(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return content.getvalue()


def saved(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


FLOATS = "{'descr': '<f4', 'fortran_order': False, 'shape': %s}"
DAMAGED = {
    "nothing": b"",
    "text": b"text",
    "4 TB": npy(FLOATS % "(1, 1000000000000)"),
    "more than a number of C": npy(FLOATS % f"(1, {2**70})"),
    "less than nothing": npy(FLOATS % "(-1, 3)"),
    "no number": npy(FLOATS % "(True, 3)", bytes(12)),
    "a bracket": npy(FLOATS % "(1, 3("),
    "a list as key": npy("{[1]: 2}"),
    "brackets": npy("(" * 10_000),
    "objects": npy(FLOATS.replace("<f4", "|O") % "(1,)", pickle.dumps([1])),
    "cut off": saved(VALUES)[:-1],
    "values of no bytes": npy(FLOATS.replace("<f4", "<U0") % "(10000000000,)"),
    "another version": b"\x93NUMPY\x09\x00" + bytes(99),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damage_is_told_in_one_line(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(arrays.DamagedError) as caught:
        arrays.read_npy(path)
    assert len(str(caught.value).splitlines()) == 1
    path.write_bytes(npz(features=content))
    with pytest.raises(arrays.DamagedError) as caught:
        arrays.read_npz(path, ["features"])
    assert len(str(caught.value).splitlines()) == 1


def test_only_what_is_asked_for_is_read(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(npz(features=saved(VALUES), bomb=DAMAGED["4 TB"]))
    stored = arrays.read_npz(path, ["features", "names"])
    assert list(stored) == ["features"]
    np.testing.assert_array_equal(stored["features"], VALUES)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_and_its_header(tmp_path, order):
    path = tmp_path / "a.npy"
    np.save(path, np.asarray(VALUES, order=order))
    np.testing.assert_array_equal(arrays.read_npy(path), VALUES)
    assert arrays.read_header(path) == ((2, 3), np.dtype("float32"))


def test_encrypted_and_damaged_archives(tmp_path):
    path = tmp_path / "a.npz"
    content = bytearray(npz(features=saved(VALUES)))
    central = content.index(b"PK\x01\x02")
    for place in (6, central + 8):
        content[place] |= 1  # Encrypted, say both headers.
    path.write_bytes(content)
    with pytest.raises(arrays.DamagedError, match="encrypted"):
        arrays.read_npz(path, ["features"])
    path.write_bytes(npz(features=saved(VALUES))[:-30])
    with pytest.raises(arrays.DamagedError, match="zip"):
        arrays.read_npz(path, ["features"])


def test_a_header_of_python_2_is_read_without_a_warning(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(npy(FLOATS % "(2L, 3L)", VALUES.tobytes()))
    np.testing.assert_array_equal(arrays.read_npy(path), VALUES)
