"""Kinds of files, recognised by their first bytes, whatever their name."""

HEAD_BYTES = 512
# Pictures that TensorFlow cannot decode, but other programs can.
CONVERTIBLE = (
    *["WebP", "TIFF", "HEIC", "AVIF", "JPEG XL", "JPEG 2000", "SVG", "icon"],
    *["Photoshop file", "PDF", "OpenEXR", "netpbm picture"],
)
READABLE = ("JPEG", "PNG", "GIF", "BMP")

# Where a kind's bytes begin, and which they are.
_SIGNATURES: tuple[tuple[str, int, bytes], ...] = (
    ("JPEG", 0, b"\xff\xd8\xff"),
    ("PNG", 0, b"\x89PNG\r\n\x1a\n"),
    ("GIF", 0, b"GIF87a"),
    ("GIF", 0, b"GIF89a"),
    ("BMP", 0, b"BM"),
    ("WebP", 8, b"WEBP"),
    ("TIFF", 0, b"II*\x00"),
    ("TIFF", 0, b"MM\x00*"),
    ("TIFF", 0, b"II+\x00"),
    ("TIFF", 0, b"MM\x00+"),
    ("AVIF", 4, b"ftypavi"),
    ("HEIC", 4, b"ftyphei"),
    ("HEIC", 4, b"ftyphev"),
    ("HEIC", 4, b"ftypmif1"),
    ("HEIC", 4, b"ftypmsf1"),
    ("JPEG XL", 0, b"\xff\x0a"),
    ("JPEG XL", 4, b"JXL "),
    ("JPEG 2000", 4, b"jP  \r\n"),
    ("JPEG 2000", 0, b"\xff\x4f\xff\x51"),
    ("icon", 0, b"\x00\x00\x01\x00"),
    ("Photoshop file", 0, b"8BPS"),
    ("OpenEXR", 0, b"v/1\x01"),
    ("PDF", 0, b"%PDF"),
    ("MP4 video", 4, b"ftyp"),
    ("Matroska video", 0, b"\x1aE\xdf\xa3"),
    ("AVI video", 8, b"AVI "),
    ("WAV sound", 8, b"WAVE"),
    ("MP3 sound", 0, b"ID3"),
    ("zip archive", 0, b"PK\x03\x04"),
    ("gzip archive", 0, b"\x1f\x8b"),
    ("NumPy array", 0, b"\x93NUMPY"),
    ("file of macOS about another one", 0, b"\x00\x05\x16\x07"),
    ("Git LFS pointer", 0, b"version https://git-lfs"),
)
_NETPBM = tuple(b"P%d" % number for number in range(1, 8))


def name_kind(content: bytes) -> str:
    r"""Returns the name of a kind of file; "" if it is unknown.

    Args:
        content: of the file, or its first HEAD_BYTES.

    Example:
        >>> name_kind(b"RIFF....WEBPVP8 "), name_kind(b"<!DOCTYPE html>")
        ('WebP', 'HTML page')
        >>> name_kind(b"a line\n"), name_kind(b"\x00\x01")
        ('text', '')
    """
    head = content[:HEAD_BYTES]
    for kind, start, signature in _SIGNATURES:
        if head.startswith(signature, start):
            return kind
    if head.startswith(_NETPBM) and head[2:3].isspace():
        return "netpbm picture"
    return _name_text(head)


def _name_text(head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in start and start.startswith(b"<"):
        return "SVG"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "HTML page"
    # A cut may go through a character, whose bytes are at most four.
    text = head.decode("utf-8", "ignore")
    is_text = len(head) - len(text.encode()) < 4 and all(
        character.isprintable() or character.isspace() for character in text
    )
    return "text" if head and is_text else ""
