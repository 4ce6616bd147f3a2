"""Files of feature rows: every kind that is read, and every fault, each with what to do about it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.errors import DecodeError, SourceError
from cmsn_runtime.sources.features import (
    FeatureSource,
    first_bad_row,
    length_fault,
    read_features,
    require_finite,
)
from cmsn_runtime.streams.feature_stream import FeatureRow

ROWS = [[1.5, 2.0, -3.0], [4.0, 5.25, 6.0]]


def written(folder: Path, text: str, *, name: str = "x.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1.5,2,-3\n4,5.25,6\n",
        "a,b,c\n1.5,2,-3\n4,5.25,6\n",
        '"left, x","b","c"\n"1.5","2","-3"\n4,5.25,6\n',
        "0,1,2\n1.5,2,-3\n4,5.25,6\n",
        ",a,b,c\n0,1.5,2,-3\n1,4,5.25,6\n",
        ",0,1,2\n0,1.5,2,-3\n1,4,5.25,6\n",
        '"","a","b","c"\n"1",1.5,2,-3\n"2",4,5.25,6\n',
        "a b c\n1 1.5 2 -3\n2 4 5.25 6\n",
        "1.5;2;-3\n4;5.25;6\n",
        "a;b;c\n1,5;2;-3\n4;5,25;6\n",
        "1.5\t2\t-3\n4\t5.25\t6\n",
        "\ta\tb\tc\n0\t1.5\t2\t-3\n1\t4\t5.25\t6\n",
        "1.5, 2, -3,\n4, 5.25, 6,\n",
        "# made by hand\n\n1.5 2 -3  # first\n\n4 5.25 6\n\n",
        "\n,,\n1.5,2,-3\r\n4,5.25,6",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_other_programs_write_them_are_read(tmp_path: Path, text: str, encoding: str) -> None:
    assert read_features(written(tmp_path, text, encoding=encoding)).tolist() == ROWS


def test_names_of_columns_in_another_encoding_are_passed_over(tmp_path: Path) -> None:
    assert len(read_features(written(tmp_path, "müh,µV,°C\n1.5,2,-3\n4,5.25,6\n", encoding="latin-1"))) == 2


def test_a_first_row_of_counting_integers_is_a_row(tmp_path: Path) -> None:
    assert read_features(written(tmp_path, "0,1,2\n3,4,5\n")).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1,2,3\n4,5\n", "line 2 has 2 values, the lines before have 3"),
        ("a,b\n1,2\n\n3,x\n", "line 4 holds 'x', which is not a number"),
        (",2,3\n4,5,6\n", "line 1 holds ''"),
        ("only,names\n", "line 1 holds 'only'"),
        ("", r"holds \[0, 0\], no rows"),
        ("\n# nothing\n", "no rows"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(SourceError, match=rf"x\.csv: .*{fault}"):
        read_features(written(tmp_path, text))


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f4", "i1", "u2", "i8", "?"])
def test_every_type_of_number_is_taken(tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, 1], [1, 0]]).astype(kind))
    rows = read_features(tmp_path / "x.npy")
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("array", "fault"),
    [
        (np.zeros(400), r"float64 \[400\].*\[n, 8\]; reshape it to \[50, 8\]"),
        (np.zeros((1, 400, 8)), r"\[1, 400, 8\].*without further axes"),
        (np.zeros((8, 400)), r"\[8, 400\]: transposed\?.*\[n, 8\]"),
        (np.zeros((400, 9)), r"\[400, 9\]: is one column an index or a time\?"),
        (np.zeros((400, 5)), r"\[400, 5\]: check which features these are; this model takes rows of 8 values"),
        (np.zeros((0, 8)), "no rows"),
        (np.array([["a", "b"]]), "rows of numbers"),
        (np.zeros((4, 8), complex), "rows of numbers"),
        (np.zeros(4, [("x", "f4")]), "rows of numbers"),
    ],
)
def test_arrays_of_another_shape_are_refused_with_advice(
    tmp_path: Path, array: npt.NDArray[np.generic], fault: str
) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(SourceError, match=rf"x\.npy: .*{fault}"):
        read_features(tmp_path / "x.npy", width=8)


def test_objects_and_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match=r"x\.npy: .*Python objects, which are never loaded"):
        read_features(tmp_path / "x.npy")
    np.savez(tmp_path / "y.npz", np.zeros((2, 2)))
    (tmp_path / "y.npz").rename(tmp_path / "y.npy")
    with pytest.raises(SourceError, match=r"y\.npy: .*\.npz"):
        read_features(tmp_path / "y.npy")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_row_that_is_not_finite_ends_the_source_after_the_rows_before(tmp_path: Path, value: float) -> None:
    rows = np.zeros((9, 3))
    rows[6, 1] = value
    rows[8] = np.nan
    np.save(tmp_path / "x.npy", rows)
    seen: list[FeatureRow] = []
    with FeatureSource(tmp_path / "x.npy", rate=Fraction(2), width=3) as source, pytest.raises(DecodeError) as caught:
        seen.extend(source)
    assert [row.seconds for row in seen] == [Fraction(k, 2) for k in range(6)]
    assert caught.value.seconds == 3
    assert "x.npy: row 6 (from 0, of 9) holds 1 values that are NaN, infinite or beyond float32" in str(caught.value)


def test_whole_arrays_are_checked_by_the_same_rule() -> None:
    rows = np.zeros((5, 2), np.float32)
    assert first_bad_row(rows) is None
    require_finite(rows, "v0")
    rows[3] = (np.inf, -np.inf)
    with pytest.raises(SourceError, match="v0: row 3"):
        require_finite(rows, "v0")


def test_rows_that_differ_in_length_from_the_annotations_are_reported() -> None:
    assert length_fault(400, Fraction(25), None) is None
    assert length_fault(400, Fraction(25), 16.0) is None
    assert length_fault(360, Fraction(25), 16.0) is None  # the last windows of a sliding extractor
    fault = length_fault(400, Fraction(10), 16.0)
    assert fault is not None
    assert "last 40.0 s, its duration is 16.0 s: 25 rows per second would fit" in fault


def test_datasets_go_by_the_names_of_their_videos(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["v_abc/c3d_features"] = np.ones((2, 3))
        file["v0"] = np.zeros((4, 3))
        file["text"] = "no numbers"
    for address in ("all.h5::v_abc/c3d_features", "all.h5::v_abc", "all.h5::abc", "all.h5::/v_abc/c3d_features"):
        assert len(read_features(tmp_path / address, width=3)) == 2, address
    assert len(read_features(tmp_path / "all.h5::v0.mp4")) == 4
    with pytest.raises(SourceError, match=r"all\.h5::z: .*no dataset z; it has 3 \(text, v0, v_abc/c3d_features\)"):
        read_features(tmp_path / "all.h5::z")
    with pytest.raises(SourceError, match="no dataset is named"):
        read_features(tmp_path / "all.h5")
    with pytest.raises(SourceError, match="rows of numbers"):
        read_features(tmp_path / "all.h5::text")


CELLS = st.sampled_from(["1", "-2.5", "3,5", "nan", "", "a", '"b"', "1e5", "#", "0", "٣", "\x00"])


@given(st.lists(st.lists(CELLS, max_size=4), max_size=5), st.sampled_from([",", ";", "\t", " ", ", "]))
def test_whatever_a_table_holds_it_is_rows_or_refused(rows: list[list[str]], separator: str) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), "\n".join(separator.join(row) for row in rows))
        try:
            found = read_features(path)
        except SourceError as error:
            assert "x.csv: " in str(error)
            assert "\n" not in str(error)
        else:
            assert found.ndim == 2
            assert found.size


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"]))
@pytest.mark.parametrize("suffix", [".npy", ".csv", ".h5"])
def test_whatever_bytes_a_file_holds_it_is_rows_or_refused(suffix: str, content: bytes, begin: bytes) -> None:
    pytest.importorskip("h5py")
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        path.write_bytes(begin + content)
        try:
            assert read_features(path).size
        except SourceError as error:
            assert f"x{suffix}: " in str(error)
