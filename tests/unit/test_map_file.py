"""A saved map comes back to the last bit or is refused: whatever became of its bytes, and whoever wrote it."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import random
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

import saliency_widget as sw
from saliency_widget import Attribution
from saliency_widget.errors import DamagedFile, FileError, InputError, NoSuchFile, SaliencyError

from ..families import made
from .test_result import full

OLD = Path(__file__).parents[1] / "data" / "saved_without_checksum.safetensors"  # of before there was a checksum


def same(a: Attribution, b: Attribution) -> bool:
    """Every field equal, of the types that it had, arrays bit for bit."""
    steps = [{name: values.tobytes() for name, values in each.step_scores.items()} for each in (a, b)]
    if a.scores.tobytes() != b.scores.tobytes() or a.scores.shape != b.scores.shape or steps[0] != steps[1]:
        return False
    errors = [None if each.errors is None else each.errors.tobytes() for each in (a, b)]
    if errors[0] != errors[1]:
        return False
    names = [f.name for f in dataclasses.fields(Attribution) if f.name not in ("scores", "errors", "step_scores")]
    return all(repr(getattr(a, name)) == repr(getattr(b, name)) for name in names)


def parts_of(file: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The header of a safetensors file, the JSON in it, and what comes after; read by the format's own description."""
    (n,) = struct.unpack("<Q", file[:8])
    header = json.loads(file[8 : 8 + n])
    return header, json.loads(header["__metadata__"]["attribution"]), file[8 + n :]


def file_of(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def checksum(header: dict[str, Any], data: bytes) -> str:
    """Return the checksum as the docstring of `_digest` says it, each length before what it is of."""
    parts = [header["__metadata__"]["attribution"].encode()]
    for name in sorted(set(header) - {"__metadata__"}):
        start, end = header[name]["data_offsets"]
        parts += [json.dumps([name, header[name]["shape"]]).encode(), data[start:end]]
    return hashlib.sha256(b"".join(struct.pack("<Q", len(part)) + part for part in parts)).hexdigest()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("saved") / "a.safetensors"
    full().save(path)
    return path.read_bytes()


def written(saved: bytes, path: Path, about: Any, *, signed_anew: bool) -> Path:
    """The file with other fields; as of before there was a checksum, or with the right one for these."""
    header, _, data = parts_of(saved)
    header["__metadata__"] = {"attribution": json.dumps(about)}
    if signed_anew:
        header["__metadata__"]["sha256"] = checksum(header, data)
    path.write_bytes(file_of(header, data))
    return path


# ── what is whole comes back ──────────────────────────────────────────────────────────────────────────────────────


def test_a_file_of_before_there_was_a_checksum_still_loads() -> None:
    assert "sha256" not in parts_of(OLD.read_bytes())[0]["__metadata__"]
    assert same(Attribution.load(OLD), full())


def test_the_mode_of_an_old_map_of_occlusion_is_its_operator(saved: bytes, tmp_path: Path) -> None:
    """Of another method it is what it says, and an operator that is there stays."""
    about = parts_of(saved)[1]
    settings = {"mode": "delete", "unit": "token"}
    for method, was, expected in (
        ("occlusion", settings, {"operator": "delete", "unit": "token"}),
        ("mine", settings, settings),
        ("occlusion", {"mode": 1, "operator": "mask"}, {"mode": 1, "operator": "mask"}),
    ):
        old = about | {"method": method, "settings": was}
        path = written(saved, tmp_path / "a.safetensors", old, signed_anew=True)
        assert Attribution.load(path).settings == expected


def test_safetensors_reads_the_same_numbers_and_the_checksum_is_of_what_it_says(tmp_path: Path) -> None:
    """The library's own reader finds each array; the digest is computed again from the description of it."""
    path, a = tmp_path / "a.safetensors", full()
    a.save(path)
    with safe_open(path, "np") as file:
        assert sorted(file.keys()) == ["scores", "step.probability"]
        assert file.get_tensor("scores").tobytes() == a.scores.tobytes()
        assert file.get_tensor("step.probability").tobytes() == a.step_scores["probability"].tobytes()
    header, _, data = parts_of(path.read_bytes())
    assert header["__metadata__"]["sha256"] == checksum(header, data)


def test_standard_errors_come_back_and_a_map_without_them_can_be_read_by_older_versions(
    saved: bytes, tmp_path: Path
) -> None:
    """Only a map with errors has the format that older versions do not know, and refuse as newer."""
    errors = np.array([[0.5, 0], [np.nan, 0.25], [np.nan, 1e-30]])
    path, a = tmp_path / "a.safetensors", dataclasses.replace(full(), errors=errors)
    a.save(path)
    assert same(Attribution.load(path), a)
    assert not same(Attribution.load(path), full())
    with safe_open(path, "np") as file:
        np.testing.assert_array_equal(file.get_tensor("errors"), errors.astype(np.float32))
    assert parts_of(path.read_bytes())[1]["format"] == 2
    assert parts_of(saved)[1]["format"] == 1


def test_standard_errors_that_are_none_are_damaged(tmp_path: Path) -> None:
    """Below 0, without an end, or of another shape."""
    path = tmp_path / "a.safetensors"
    dataclasses.replace(full(), errors=np.ones((3, 2))).save(path)
    header, about, data = parts_of(path.read_bytes())
    start, _ = header["errors"]["data_offsets"]
    for value in (-1.0, np.inf, -np.inf):
        other = data[:start] + np.float32(value).tobytes() + data[start + 4 :]
        header["__metadata__"]["sha256"] = checksum(header, other)
        path.write_bytes(file_of(header, other))
        with pytest.raises(DamagedFile, match="a standard error below 0 or without an end"):
            Attribution.load(path)
    header["errors"]["shape"] = [2, 3]
    written(file_of(header, data), path, about, signed_anew=True)
    with pytest.raises(DamagedFile, match=r"errors has the shape \[2, 3\], and must have \[3, 2\]"):
        Attribution.load(path)


def test_the_order_of_the_header_is_nothing_to_the_checksum(saved: bytes, tmp_path: Path) -> None:
    """Names and tensors the other way round are the same map."""
    header, _, data = parts_of(saved)
    (a, b), (c, d) = header["scores"]["data_offsets"], header["step.probability"]["data_offsets"]
    header["scores"]["data_offsets"], header["step.probability"]["data_offsets"] = [d - c, d - c + b - a], [0, d - c]
    turned = {name: header[name] for name in reversed(header)}
    turned["__metadata__"] = dict(reversed(turned["__metadata__"].items()))
    path = tmp_path / "turned.safetensors"
    path.write_bytes(file_of(turned, data[c:d] + data[a:b]))
    assert same(Attribution.load(path), full())


# Paths of few points: their number is nothing to the file.
FEW: dict[str, dict[str, int]] = {
    "integrated_gradients": {"steps": 3},
    "inseq:integrated_gradients": {"n_steps": 3},
    "inseq:sequential_integrated_gradients": {"n_steps": 3},
}


@pytest.mark.parametrize("family", ["gpt2", "bart", "bert"])
def test_every_method_s_map_comes_back(family: str, tmp_path: Path) -> None:
    """Of a decoder, a translator and a classifier, by tokens and by words, with all settings and diagnostics."""
    model = made(family, torch.float32)
    path = tmp_path / "a.safetensors"
    asked = {} if family == "bert" else {"target": " é👩‍🚀"}
    methods = [entry.method.id for entry in sw.methods(model) if entry.reason is None and entry.method.id != "llm"]
    assert len(methods) >= 9
    for method in methods:
        a = sw.attribute(model, "a bé", method=method, progress=False, **asked, **FEW.get(method, {}))
        for each in (a, a.aggregate("word"), a.aggregate("sentence", "mean")):
            each.save(path)
            assert same(Attribution.load(path), each), method


def test_a_map_that_could_not_be_read_again_is_not_saved(tmp_path: Path) -> None:
    """It is refused with cause and cure, and the file that was there is there still."""
    path = tmp_path / "a.safetensors"
    full().save(path)
    before = path.read_bytes()
    token = full().rows[0]
    for change, says in (
        ({"settings": {"mask": {1, 2}}}, "no form for a value in it"),
        ({"seconds": np.float32(1)}, "float32 is not JSON serializable"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"step_scores": {"probability": np.zeros(3)}}, r"step.probability has the shape \[3\], and must have \[2\]"),
        ({"step_scores": {"\ud800": np.zeros(2)}}, "is no text"),
        ({"rows": (dataclasses.replace(token, length=10**9), *full().rows[1:])}, r"length of rows\[0\] is 1000000000"),
        ({"alternatives": ((),)}, "alternatives for 1 of 2 columns"),
        ({"model_name": None}, "model_name is None"),
    ):
        with pytest.raises(InputError, match=f"This map cannot be saved: .*{says}") as caught:
            dataclasses.replace(full(), **change).save(path)
        assert caught.value.cure
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


# ── what is damaged is refused ────────────────────────────────────────────────────────────────────────────────────


def unharmed(path: Path) -> bool:
    """Is the map in the file the one that was saved? A damaged one is refused by DamagedFile alone."""
    try:
        a = Attribution.load(path)
    except DamagedFile:
        return False
    assert same(a, full())
    return True


@pytest.mark.parametrize("n", [600, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_bit_that_fell_over_is_noticed(saved: bytes, tmp_path: Path, n: int) -> None:
    """n bits with a fixed seed, and every one of the length, the padding and the names of the header, the digest too.

    Each file is refused: none gives another map, and none the same by luck.
    """
    (end,) = struct.unpack("<Q", saved[:8])
    padding = len(saved[8 : 8 + end]) - len(saved[8 : 8 + end].rstrip(b" "))
    assert padding > 0
    watched = {*range(8), *range(8 + end - padding, 8 + end)}
    for name in (b"__metadata__", b'"attribution"', b'"sha256"', b'"scores"', b"step.probability", b"F32", b"shape"):
        assert saved.count(name) >= 1
        watched |= {*range(saved.index(name), saved.index(name) + len(name))}
    bits = [8 * byte + bit for byte in sorted(watched) for bit in range(8)]
    bits += random.Random(0).sample(range(8 * len(saved)), n)
    path = tmp_path / "a.safetensors"
    for bit in bits:
        broken = bytearray(saved)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        assert not unharmed(path), bit


def test_a_file_that_is_cut_short_or_too_long_is_noticed(saved: bytes, tmp_path: Path) -> None:
    """Every length from nothing to one byte less, and more bytes than there were."""
    path = tmp_path / "a.safetensors"
    for size in range(len(saved)):
        path.write_bytes(saved[:size])
        assert not unharmed(path), size
    path.write_bytes(saved + b"\0")
    with pytest.raises(DamagedFile) as caught:
        Attribution.load(path)
    assert isinstance(caught.value, SaliencyError)
    assert isinstance(caught.value, ValueError)
    assert "copy it again" in caught.value.cure
    path.write_bytes(saved)
    assert unharmed(path)


def test_numbers_of_another_map_are_noticed(saved: bytes, tmp_path: Path) -> None:
    """Any NaN, sign or digit that is another one, also where the file is whole."""
    header, _, data = parts_of(saved)
    path = tmp_path / "a.safetensors"
    for at in range(0, len(data), 4):
        for value in (np.nan, -1.0, 0.0):
            other = data[:at] + np.float32(value).tobytes() + data[at + 4 :]
            path.write_bytes(file_of(header, other))
            assert unharmed(path) == (other == data)


def test_a_newer_file_says_so(saved: bytes, tmp_path: Path) -> None:
    """A newer format may hold more fields, or lack some."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(file_of({"__metadata__": {"attribution": '{"format": 4, "new": 1}'}, "cells": 1}, b""))
    with pytest.raises(DamagedFile, match="newer version of saliency-widget, in its format 4. Upgrade"):
        Attribution.load(path)


def test_what_is_not_there_is_not_damaged(tmp_path: Path) -> None:
    """No file, a folder, a device and what is no path: each is told as what it is."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "a.safetensors", tmp_path / "file" / "a", tmp_path / "no" / "a"):
        with pytest.raises(NoSuchFile, match=r"There is no file .* Check the path") as caught:
            Attribution.load(path)
        assert isinstance(caught.value, FileNotFoundError)
        assert not isinstance(caught.value, DamagedFile)
    for path, says in (
        (tmp_path, "it is a folder"),
        ("/dev/null", "it is a device"),
        ("a\0b", "it is no path"),
        ("\ud800", "it is no path"),
        ("a" * 5000, "its name is too long"),
    ):
        with pytest.raises(FileError, match=says) as caught:
            Attribution.load(path)
        assert not isinstance(caught.value, NoSuchFile)


def test_a_checkpoint_is_no_map(tmp_path: Path) -> None:
    """A safetensors file of somebody else is refused by its header: its weights are not read."""
    path = tmp_path / "model.safetensors"
    header = {"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}
    path.write_bytes(file_of(header, b""))
    os.truncate(path, 2**40)  # a hole: it takes no room on the disk
    with pytest.raises(DamagedFile, match="its metadata lacks attribution"):
        Attribution.load(path)


# ── what was never a map is refused ───────────────────────────────────────────────────────────────────────────────

HUGE = 10**400
DEEP: Any = []
for _ in range(40):
    DEEP = [DEEP]
REMOVED = object()

# The way to a field, and what it is not.
NOT_SO: list[tuple[tuple[str | int, ...], list[Any]]] = [
    (("format",), ["1", 0, -1, 1.0, True, None, REMOVED]),
    (("rows",), [None, {}, "ab", [1, 2, 3], [], REMOVED]),
    (("rows", 0), [None, [], {}, "token"]),
    (("rows", 0, "id"), ["5", -2, 5.0, True, None, HUGE, REMOVED]),
    (("rows", 0, "position"), ["0", -1, 0.0, False, 10**9, HUGE, 2**24, REMOVED]),
    (("rows", 0, "length"), ["1", 0, -1, 1.5, True, 10**9, HUGE, None]),
    (("rows", 0, "text"), [None, 1, ["a"], REMOVED]),
    (("rows", 0, "role"), [None, "", "boss", ["prompt"], REMOVED]),
    (("rows", 0, "span"), [0, [], [1], [1, 2, 3], [2, 1], [-1, 1], [0, "1"], [0, 1.0], [0, HUGE], REMOVED]),
    (("rows", 0, "part"), [1, [0, 2], [3, 2], [1], [1, None], "12"]),
    (("rows", 0, "word"), [None, -1, "0", 0.5, 10**9, REMOVED]),
    (("rows", 0, "sentence"), [None, -1, "0", 0.5, 10**9, REMOVED]),
    (("rows", 0, "segment"), [None, -1, "0", 0.5, 10**9, REMOVED]),
    (("rows", 0, "colour"), ["red"]),
    (("cols",), [None, [], REMOVED]),
    (("cols", 1, "length"), [10**9]),
    (("segments",), [None, {}, [None], REMOVED]),
    (("segments", 0, "kind"), [None, "chapter", 1, REMOVED]),
    (("segments", 0, "name"), [None, 1, REMOVED]),
    (("segments", 0, "start"), [-1, 5, None, "0", REMOVED]),
    (("segments", 0, "end"), [-1, 10**9, None, REMOVED]),
    (("alternatives",), [None, [[]], [[], [], []], [None, None], {}, REMOVED]),
    (("alternatives", 0, 0, "id"), [None, "1", -2, REMOVED]),
    (("alternatives", 0, 0, "text"), [None, 1, REMOVED]),
    (("alternatives", 0, 0, "probability"), [None, "0.5", -0.1, 1.1, float("nan"), float("inf"), True, HUGE, REMOVED]),
    (("method",), [None, 1, [], REMOVED]),
    (("objective",), [1, [], REMOVED]),
    (("foil",), [1, []]),
    (("signed",), [None, 1, "true", REMOVED]),
    (("unit",), [None, 1, REMOVED]),
    (("model_name",), [None, 1]),
    (("settings",), [None, [], "layer", {"pool": "sum"}, {"pool": "best", "unit": "word"}, {"x": DEEP}]),
    (("settings",), [{"pool": ["sum"], "unit": "word"}, {"pool": "sum", "unit": "page"}, {"pool": "sum", "unit": []}]),
    (("seconds",), [None, "1", -1, float("nan"), float("inf"), HUGE, True]),
    (("diagnostics",), [None, [], 0.5, {"x": DEEP}, {"spot_check": "0.1"}, {"spot_check": None}]),
    (("diagnostics",), [{"completeness_error": value} for value in (0.1, "ab", [0.1], ["a", "b"], [HUGE, 1], {})]),
    (("diagnostics",), [{"precision_noise": [[1], [2]]}, {"baseline_changed": 1}, {"value": [None, None]}]),
    (("new",), [1]),
]


def changed(about: dict[str, Any], way: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    about = copy.deepcopy(about)
    place: Any = about
    for step in way[:-1]:
        place = place[step]
    if value is REMOVED:
        del place[way[-1]]
    else:
        place[way[-1]] = value
    return about


@pytest.mark.parametrize("signed_anew", [False, True], ids=["without checksum", "with its checksum"])
@pytest.mark.parametrize("way", range(len(NOT_SO)), ids=lambda at: ".".join(map(str, NOT_SO[at][0])))
def test_a_field_that_is_not_what_it_should_be_is_refused(
    saved: bytes, tmp_path: Path, way: int, signed_anew: bool
) -> None:
    """Types, ranges and counts of each field, also of a file that somebody made on purpose, with a right checksum."""
    about = parts_of(saved)[1]
    steps, values = NOT_SO[way]
    for value in values:
        path = written(saved, tmp_path / "a.safetensors", changed(about, steps, value), signed_anew=signed_anew)
        with pytest.raises(DamagedFile, match="not a whole saved attribution") as caught:
            Attribution.load(path)
        assert len(str(caught.value)) < 600 + len(str(path)), "what is said stays short"


HEADERS: dict[str, Any] = {
    "no dtype": {"scores": {"dtype": REMOVED}},
    "double": {"scores": {"dtype": "F64", "shape": [3, 1]}},
    "whole numbers": {"scores": {"dtype": "I32"}},
    "another shape": {"scores": {"shape": [2, 3]}},
    "no shape": {"scores": {"shape": []}},
    "a deep shape": {"scores": {"shape": [3, 2, 1]}},
    "half a row": {"scores": {"shape": [1.5, 4]}},
    "less than nothing": {"scores": {"shape": [-3, -2]}},
    "an endless shape": {"scores": {"shape": [2**62, 2**62]}},
    "overlap": {"step.probability": {"data_offsets": [0, 8]}},
    "beyond the end": {"step.probability": {"data_offsets": [24, 40]}},
    "backwards": {"step.probability": {"data_offsets": [32, 24]}},
    "one offset": {"step.probability": {"data_offsets": [24]}},
    "no scores": {"scores": REMOVED},
    "no offsets": {"scores": {"data_offsets": REMOVED}},
    "a strange tensor": {"other": {"dtype": "F32", "shape": [0], "data_offsets": [32, 32]}},
    "a long step": {"step.b": {"dtype": "F32", "shape": [0], "data_offsets": [32, 32]}},
    "strange metadata": {"__metadata__": {"more": "x"}},
    "metadata of numbers": {"__metadata__": {"attribution": 1}},
    "no metadata": {"__metadata__": REMOVED},
    "no attribution": {"__metadata__": {"attribution": REMOVED}},
    "an empty checksum": {"__metadata__": {"sha256": ""}},
    "a checksum that is a number": {"__metadata__": {"sha256": 0}},
    "attribution is a list": {"__metadata__": {"attribution": "[]"}},
    "attribution is deep": {"__metadata__": {"attribution": "[" * 100_000}},
    "attribution is NaN": {"__metadata__": {"attribution": "NaN"}},
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_header_that_is_not_that_of_a_map_is_refused(saved: bytes, tmp_path: Path, what: str) -> None:
    """Without a checksum, which would notice many of these by itself."""
    header, _, data = parts_of(saved)
    del header["__metadata__"]["sha256"]
    for name, entry in HEADERS[what].items():
        if entry is REMOVED:
            del header[name]
        else:
            merged = {**header.get(name, {}), **entry}
            header[name] = {key: value for key, value in merged.items() if value is not REMOVED}
    path = tmp_path / "a.safetensors"
    path.write_bytes(file_of(header, data))
    with pytest.raises(DamagedFile, match="not a whole saved attribution"):
        Attribution.load(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"{" * 1000,
        b'{"a":' * 100_000,
        b"\xff\xfe{\x00}\x00",
        b'{"__metadata__": {}, "__metadata__": {}}',
        b'{"__metadata__": {"attribution": "{\\"format\\": 1, \\"format\\": 1}"}}',
        b"9" * 5000,
        b'{"__metadata__": {"attribution": "\\ud800"}}',
    ],
    ids=range(10),
)
def test_a_header_that_is_no_header_is_refused(tmp_path: Path, text: bytes) -> None:
    """No JSON, no object, too deep, in another encoding, with a name twice, a number of thousands of digits."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(DamagedFile, match="not a whole saved attribution"):
        Attribution.load(path)


def test_infinite_scores_and_impossible_probabilities_are_refused(saved: bytes, tmp_path: Path) -> None:
    """A probability that rounding lifted a little above 1 is none of them; neither is one that is not known."""
    header, _, data = parts_of(saved)
    start = header["step.probability"]["data_offsets"][0]
    path = tmp_path / "a.safetensors"
    del header["__metadata__"]["sha256"]
    for at, value, is_fine in (
        (header["scores"]["data_offsets"][0], np.inf, False),
        (header["scores"]["data_offsets"][0], -np.inf, False),
        (start, 1.5, False),
        (start, -0.1, False),
        (start, np.inf, False),
        (start, 1.0000001, True),
        (start, np.nan, True),
    ):
        path.write_bytes(file_of(header, data[:at] + np.float32(value).tobytes() + data[at + 4 :]))
        if is_fine:
            Attribution.load(path)
        else:
            with pytest.raises(DamagedFile, match="infinite score|probability outside"):
                Attribution.load(path)


# ── what is read can be shown ─────────────────────────────────────────────────────────────────────────────────────


def ways(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The ways to everything in a JSON value."""
    if way:
        yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from ways(item, (*way, key))


PER_COLUMN = (
    "baseline_changed",
    "baseline_in_text",
    "completeness_error",
    "ids_left_out",
    "precision_noise",
    "relevance_sum",
    "value",
)
ABOUT = parts_of(OLD.read_bytes())[1] | {
    "settings": {"unit": "word", "pool": "sum", "layer": 1, "head": None},
    "diagnostics": {**{name: [0.5, -1.0] for name in PER_COLUMN}, "spot_check": 0.1, "spot_check_proves": False},
}
STRANGE = st.one_of(
    st.sampled_from([REMOVED, None, True, [], {}, "", "class", "special", "word", -1, 0, 1, 2, 3, 2**23, HUGE, DEEP]),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(0, 3) | st.floats(0, 1) | st.none(), max_size=3),
)


def shown(a: Attribution) -> None:
    """All that a reader may do with it."""
    repr(a)
    a._repr_html_()
    a.to_dataframe()
    a.normalized()
    a.top(0)


@settings(max_examples=400)  # one in ten is a map still
@given(st.lists(st.tuples(st.sampled_from(list(ways(ABOUT))), STRANGE), min_size=1, max_size=3))
def test_a_file_is_refused_or_its_map_can_be_shown_and_saved(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[tuple[str | int, ...], Any]]
) -> None:
    """Any values of its fields give a damaged file, or a map that prints, is a page, a table, and is saved again."""
    about = ABOUT
    for way, value in changes:
        try:
            about = changed(about, way, value)
        except (LookupError, TypeError):  # an earlier change took the place away
            continue
    folder = tmp_path_factory.mktemp("strange")
    path = written(OLD.read_bytes(), folder / "a.safetensors", about, signed_anew=False)
    try:
        a = Attribution.load(path)
    except DamagedFile:
        return
    shown(a)
    a.save(folder / "b.safetensors")
    assert same(Attribution.load(folder / "b.safetensors"), a)


def test_a_unit_of_millions_of_tokens_is_shown_in_little_memory(saved: bytes, tmp_path: Path) -> None:
    """The longest unit that a file may hold: what it takes to show it does not grow with its length."""
    about = changed(parts_of(saved)[1], ("cols", 1, "length"), 2**24 - 3)
    about = changed(about, ("rows", 2, "length"), 2**24 - 2)
    a = Attribution.load(written(saved, tmp_path / "a.safetensors", about, signed_anew=True))
    shown(full())  # what is imported and kept once
    tracemalloc.start()
    try:
        shown(a)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2_000_000
