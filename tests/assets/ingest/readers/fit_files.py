"""FIT files made by hand: messages with a definition each, one file or several chained."""

import struct
from collections.abc import Sequence

EPOCH_S = 631_065_600
_TYPES = {"u8": (0x02, "B", 1), "s8": (0x01, "b", 1), "u16": (0x84, "H", 2), "s16": (0x83, "h", 2),
          "u32": (0x86, "I", 4), "u32z": (0x8C, "I", 4), "enum": (0x00, "B", 1), "byte": (0x0D, "B", 1)}  # fmt: skip
_NUMBERS = {"file_id": 0, "record": 20, "monitoring": 55, "hrv": 78, "monitoring_info": 103, "hr": 132,
            "stress_level": 227, "spo2_data": 269, "respiration_rate": 297, "hsa_stress_data": 306,
            "raw_bbi": 372}  # fmt: skip
Field = tuple[int, str, int | Sequence[int]]


def message(name: str, *fields: Field) -> bytes:
    """One message with its definition: fields are (number, type, value or values)."""
    values = [(n, t, [v] if isinstance(v, int) else list(v)) for n, t, v in fields]
    definition = struct.pack("<BBBHB", 0x40, 0, 0, _NUMBERS[name], len(values))
    content = b"\0"
    for number, kind, several in values:
        base, code, size = _TYPES[kind]
        definition += struct.pack("BBB", number, size * len(several), base)
        content += struct.pack(f"<{len(several)}{code}", *several)
    return definition + content


def fit(*messages: bytes) -> bytes:
    """One FIT file."""
    body = b"".join(messages)
    head = struct.pack("<BBHI4s", 14, 0x10, 2000, len(body), b".FIT")
    head += struct.pack("<H", _crc(head))
    return head + body + struct.pack("<H", _crc(head + body))


def clock(unix_s: int) -> int:
    """Garmin's clock."""
    return unix_s - EPOCH_S


def packed(counts: Sequence[int]) -> list[int]:
    """Counts as 12 bits each, two in three bytes."""
    octets = []
    for a, b in zip(counts[::2], counts[1::2], strict=True):
        octets += [a & 0xFF, (a >> 8 & 0x0F) | (b & 0x0F) << 4, b >> 4 & 0xFF]
    return octets


def _crc(data: bytes) -> int:
    table = (0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
             0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400)  # fmt: skip
    crc = 0
    for byte in data:
        for half in (byte & 0xF, byte >> 4):
            crc = crc >> 4 & 0x0FFF ^ table[crc & 0xF] ^ table[half]
    return crc
