"""YAML of unknown origin is plain data, or it is refused before anything is made of it."""

import base64

import numpy as np
import pytest
import yaml

from shared.errors import UserError
from shared.model_files import safe_yaml

NUMBER = "!!python/object/apply:numpy.core.multiarray.scalar"
STATE = "!!python/tuple [3, <, null, null, null, -1, -1, 0]"
DTYPE = f"!!python/object/apply:numpy.dtype {{args: [TYPE, 0, 1], state: {STATE}}}"


def number(dtype, data):
    """A NumPy number as PyYAML pickles it."""
    return f"a: {NUMBER}\n- {DTYPE.replace('TYPE', dtype)}\n- !!binary {base64.b64encode(data).decode() or '|'}"


def parse(text, keras_1=False):
    return safe_yaml.parse(text if isinstance(text, bytes) else text.encode(), "file.yaml", keras_1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1e-07", 1e-7),
        ("1.0e-07", 1e-7),
        ("-3", -3),
        ("010", 10),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("2017-01-02", "2017-01-02"),
        ("true", True),
        ("True", True),
        ("null", None),
        ("~", None),
        ("", None),
        (".5", 0.5),
        ("-.inf", -np.inf),
        ("'1'", "1"),
        ("[1, 2.0, x]", [1, 2.0, "x"]),
        ('"\\u00e9"', "é"),
    ],
)
def test_words_mean_what_they_say(text, value):
    found = parse(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number():
    assert np.isnan(parse("a: .nan")["a"])


def test_json_is_read_as_well():
    assert parse('{"a": {"b": [1, 2.5e-3, null, true, "x\\ny"]}, "c": "no"}') == {
        "a": {"b": [1, 2.5e-3, None, True, "x\ny"]},
        "c": "no",
    }


def test_what_is_dumped_is_parsed_again():
    document = {"a": 1e-7, "b": "no", "c": [1, 2], "d": {"e": None, "f": [{"g": True}, {"g": "1"}]}, "h": "x: y"}
    assert parse(safe_yaml.dump(document)) == document
    assert "c: [1, 2]\n" in safe_yaml.dump(document)


CODE = [
    "!!python/object/apply:os.system [touch HERE]",
    "!!python/object/apply:subprocess.Popen [[touch, HERE]]",
    "!!python/object/new:os.system [touch HERE]",
    "!!python/object:os.system {}",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/object/apply:numpy.core.multiarray.fromstring [a]",
    # The payload of CVE-2021-37678, against model_from_yaml of Keras.
    "!!python/object/new:type\n  args: ['z', !!python/tuple [], {'extend': !!python/name:exec }]\n"
    "  listitems: \"__import__('os').system('touch HERE')\"",
]


@pytest.mark.parametrize("keras_1", [False, True])
@pytest.mark.parametrize("code", CODE)
def test_a_tag_that_runs_code_is_refused_and_said(tmp_path, code, keras_1):
    mark = tmp_path / "ran"
    with pytest.raises(UserError, match=r"^file.yaml: line 2: !!python/.* would run Python code; it is never loaded"):
        parse(f"a: 1\nb: {code.replace('HERE', str(mark))}", keras_1)
    assert not mark.exists()


@pytest.mark.parametrize("tag", ["!!set", "!!omap", "!!timestamp", "!!binary", "!mine", "!<tag:example.org,2026:x>"])
def test_any_other_tag_is_refused(tag):
    with pytest.raises(UserError, match=r"line 1: .*(unknown tag|from Keras 1)"):
        parse(f"a: {tag} x")


def test_the_values_of_keras_1_are_for_the_legacy_loader():
    text = "a: !!python/tuple [1, 2]"
    assert parse(text, keras_1=True) == {"a": [1, 2]}
    with pytest.raises(UserError, match=r"line 1: !!python/tuple is from Keras 1; convert .* python -m shared.legacy"):
        parse(text)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(2048, "i8"), (-7, "i4"), (255, "u1"), (0.25, "f8"), (1.5, "f4"), (True, "b1")],
)
def test_pickled_numpy_numbers_are_read_as_numbers(value, dtype):
    found = parse(number(dtype, np.array(value, dtype).tobytes()), keras_1=True)["a"]
    assert found == value
    assert type(found) is type(value)


def test_other_forms_of_the_same_pickle_are_read():
    # Python 2 wrote bytes as a text; a shared dtype is written once; its byte order is in the state.
    dtype = DTYPE.replace("TYPE", "i2").replace("<", "'>'")
    text = (
        f'a: {NUMBER} {{args: [&d {dtype}, "\\x01\\x02"]}}\n'
        f'b: {NUMBER} [*d, "\\0\\x03"]\nc: !!python/unicode relu\nd: !!python/str relu'
    )
    assert parse(text, keras_1=True) == {"a": 258, "b": 3, "c": "relu", "d": "relu"}


@pytest.mark.parametrize(
    "text",
    [
        number("O8", b"12345678"),
        number("O", b"12345678"),
        number("S8", b"12345678"),
        number("V8", b"12345678"),
        number("M8", b"12345678"),
        number("i8", b"1234567"),
        number("i8", b"123456789"),
        number("i8", b""),
        number("'i4,i4'", b"12345678"),
        f"a: {NUMBER} [1, 2]",
        f"a: {NUMBER} []",
        f"a: {NUMBER} {{args: 3}}",
        f"a: {NUMBER} 3",
        "a: !!python/object/apply:numpy.dtype {args: [[x]]}",
        "a: !!python/object/apply:numpy.dtype {}",
        "a: !!python/tuple {b: c}",
        "a: !!int x",
        "a: !!float x",
        "a: !!map [1]",
        "a: !!int [1]",
        "a: " + "9" * 5000,
    ],
)
def test_a_pickle_that_is_no_number_is_refused(text):
    with pytest.raises(UserError, match=r"^file.yaml: [^\n]*$"):
        parse(text, keras_1=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "nothing"),
        (b"# only a comment\n", "nothing"),
        (b"42", "a single int"),
        (b"[1, 2]", "a single list"),
        (b"a: 1\n---\nb: 2\n", "line 2: a second document"),
        (b"a: 1\0", "not YAML"),
        (b"a: \xff\xfe", "not UTF-8"),
        ("a: ü".encode("latin-1"), "not UTF-8"),
        ("a: 1".encode("utf-16"), "not UTF-8"),
        (b"a: 1\nb: 2\na: 3", "line 3: 'a' stands twice"),
        (b"x:\n  {b: 1, b: 2}", "line 2: 'b' stands twice"),
        (b"1: 2", "line 1: 1 is no name"),
        (b"? [a, b]\n: 2", "line 1: .*is no name"),
        (b"a: [1, 2", "line 2: "),
        (b"a: b: c", "line 1: "),
        (b"a: *b", "line 1: .*alias"),
        (b"a: &b [1, *b]", r"line 1: \*b contains itself"),
        (b"a: &b {c: {d: *b}}", r"line 1: \*b contains itself"),
        (b"a: " + b"[" * 2000 + b"]" * 2000, "line 1: nested more than 64 deep"),
        (b"a:\n" + b"".join(b" " * i + b"b:\n" for i in range(1, 300)), "nested more than 64 deep"),
        (b"a: [" + b"1, " * 60_000 + b"]", "more than 50,000 values"),
        (b"%YAML 1.1\n%TAG !a! tag:x:\n---\na: 1", "line 2: %TAG has no place here"),
        (b"".join(b"%%TAG !%d! tag:x:\n" % i for i in range(40_000)) + b"---\na: 1", "line 1: %TAG has no place here"),
        (b"a: !!bool maybe", "'maybe' is neither true nor false"),
        (b"a: !!bool [true]", "line 1: "),
        (b'"42"', "a single int"),
        (b"just some words", "a single str"),
        (b'"{a: [1, 2"', "line 2: "),
        (b'"a: 1\\n---\\nb: 2"', "line 2: a second document"),
        (b"a: 1\n" * 300_000, "larger than the 1,048,576 bytes"),
    ],
)
def test_what_is_no_plain_document_is_refused_quickly(text, words, cpu_seconds):
    began = cpu_seconds()
    with pytest.raises(UserError, match=f"^file.yaml: .*{words}") as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert cpu_seconds() - began < 5


def test_a_bomb_of_aliases_is_counted_and_not_built():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(UserError, match=r"line 5: more than 50,000 values"):
        parse("\n".join(lines))
    assert parse("\n".join(lines[:3]))["a2"][9][9] == ["x"] * 10


def test_a_text_that_holds_a_document_is_read_once_more():
    assert parse('"{\\"a\\": [1, \\"b\\"]}"') == {"a": [1, "b"]}


def test_aliases_are_as_deep_as_what_they_stand_for():
    def nested(number, inner):
        return f"a{number}: &a{number} {'[' * 20}{inner}{']' * 20}\n"

    assert parse(nested(0, "x") + nested(1, "*a0"))
    with pytest.raises(UserError, match=r"line 4: nested more than 64 deep"):
        parse("".join(nested(number, f"*a{number - 1}" if number else "x") for number in range(500)))


def test_our_limit_of_depth_is_said_when_the_parser_has_one_of_its_own(monkeypatch):
    def limited(text, Loader):
        start, ahead = (yaml.Mark("", place, 0, place, None, 0) for place in (0, 150))
        yield yaml.StreamStartEvent(start, start)
        raise yaml.scanner.ScannerError(None, None, "exceeded maximum nesting depth", ahead)

    monkeypatch.setattr(safe_yaml.yaml, "parse", limited)
    with pytest.raises(UserError, match="nested more than 64 deep"):
        parse("a: " + "[" * 200)
