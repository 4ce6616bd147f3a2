"""What a kernel takes: texts as numba writes them, and arrays that machine code can take unchecked."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from cmsn_runtime.kernels.signature import parse_signature


def test_arrays_and_numbers_of_a_signature() -> None:
    found = parse_signature("int64(int8[::1], float32[:, ::1], float64[:, :, ::1], int64, float64)")
    assert [(item.dtype.name, item.axes) for item in found.arguments] == [
        ("int8", 1),
        ("float32", 2),
        ("float64", 3),
        ("int64", 0),
        ("float64", 0),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "float64(int64)",  # another result
        "int64(int64[:])",  # not contiguous
        "int64(float32)",  # passed otherwise than float64
        "int64(complex128[::1])",
        "int64(int64 int64)",
        "int64",
        "",
    ],
)
def test_a_text_that_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no signature of a kernel"):
        parse_signature(text)


def test_an_array_is_passed_as_its_size_address_sides_and_strides() -> None:
    signature = parse_signature("int64(float64[:, ::1], int64, float64)")
    array = np.zeros((2, 3))
    words = list(signature.flattened((array, np.int64(4), 5)))
    assert words == [None, None, 6, 8, array.ctypes.data, 2, 3, 24, 8, 4, 5.0]
    assert len(signature.words) == 2 + len(words)
    assert signature.words[-2:] == (ctypes.c_int64, ctypes.c_double)


@pytest.mark.parametrize(
    "value",
    [np.zeros((2, 2), np.float32), np.zeros(4), np.zeros((2, 4))[:, ::2], np.zeros((2, 2), order="F"), [[1.0]], 1.0],
)
def test_what_machine_code_would_misread_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"it takes int64\(float64\[:, ::1\]\)"):
        list(parse_signature("int64(float64[:, ::1])").flattened((value,)))


def test_another_number_of_arguments_is_refused() -> None:
    with pytest.raises(TypeError, match=r"got \(int, int\); it takes int64\(int64\)"):
        list(parse_signature("int64(int64)").flattened((1, 2)))
