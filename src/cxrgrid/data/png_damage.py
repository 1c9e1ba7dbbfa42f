"""PNG files that are damaged: checksums and the number of rows, which Pillow does not insist on."""

import math
import zlib

KEPT = (b"IHDR", b"PLTE", b"IDAT", b"tRNS")  # chunks that pixels depend on
PIECE = 1 << 16  # bytes at a time
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type


def fault(data: bytes) -> str:
    """Damage of a PNG file, as text; empty if it is intact."""
    packed, at, header, whole = zlib.decompressobj(), 8, b"", memoryview(data)
    rows = 0
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = whole[at + 8 : at + 8 + length]
        check = data[at + 8 + length : at + 12 + length]
        if kind in KEPT and zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(check, "big"):
            return f"damaged: wrong checksum in {kind.decode()}"
        header = bytes(body) if kind == b"IHDR" else header
        if kind == b"IDAT":
            try:
                rows += unpacked(packed, body)
            except zlib.error as error:
                return f"damaged: {error}"
        at += 12 + length
    wanted = size(header)
    return f"damaged: {rows:,} of {wanted:,} bytes of pixels are there" if rows < wanted else ""


def unpacked(packed, body: memoryview) -> int:
    """Number of bytes that a chunk unpacks to, of which few are kept at once."""
    number = 0
    for at in range(0, len(body), PIECE):
        piece = body[at : at + PIECE]
        while len(piece) and not packed.eof:
            number += len(packed.decompress(piece, PIECE))
            piece = packed.unconsumed_tail
    return number


def size(header: bytes) -> int:
    """Bytes of the pixels once unpacked, at least; interlaced ones have some more."""
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    bits = header[8] * CHANNELS.get(header[9], 1)
    row = math.ceil(width * bits / 8)
    return height * (row if header[12] else row + 1)
