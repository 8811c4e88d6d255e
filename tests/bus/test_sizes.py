"""Sizes in plans, and for persons."""

import msgspec
import pytest

from bus.sizes import Size, mebibytes, readable


@pytest.mark.parametrize(
    ("size", "mib"), [("512MiB", 512), ("20GiB", 20_480), ("1.5 GiB", 1_536), ("2TiB", 2 << 20)]
)
def test_a_size_is_read(size: str, mib: int) -> None:
    assert mebibytes(msgspec.convert(size, Size)) == mib


@pytest.mark.parametrize("size", ["20", "20GB", "-1GiB", "0GiB", "1e3MiB", "20GiB\n", "GiB", ""])
def test_what_is_no_size_is_refused(size: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(size, Size)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_048_575, "1024 KiB"),
        (1 << 20, "1.0 MiB"),
        (15 << 29, "7.5 GiB"),
        (1 << 50, "1024 TiB"),
    ],
)
def test_a_size_for_a_person(size: int, text: str) -> None:
    assert readable(size) == text
