"""YAML (and JSON, which is YAML) of unknown origin, read as plain data.

Nothing in a document can run code, and a document that is built to cost much is refused before anything is built
from it: its events are counted first. The limits are ours, whatever those of the parser are. Words mean what they say:
`no` is a word, `1e-7` is a number (YAML 1.2).
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from shared.errors import UserError

MAX_FILE = 1 << 20  # bytes
MAX_NODES = 50_000  # with every alias counted as what it stands for
MAX_DEPTH = 64  # with every alias as deep as what it stands for

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_TAG_DIRECTIVE = re.compile("(?:^|[\n\r\x85\u2028\u2029])\ufeff?%TAG")
_CORE = "tag:yaml.org,2002:"
_PYTHON = _CORE + "python/"
_SCALAR_TAGS = {_PYTHON + f"object/apply:numpy.{core}.multiarray.scalar" for core in ("core", "_core")}
_DTYPE_TAG = _PYTHON + "object/apply:numpy.dtype"
PLAIN_TAGS = {_CORE + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map")} | {"!"}
# What Keras 1 put into its files, harmless when it is read as data.
KERAS_1_TAGS = {_CORE + "binary", _PYTHON + "tuple", _PYTHON + "str", _PYTHON + "unicode", _DTYPE_TAG, *_SCALAR_TAGS}


def parse(data: bytes, path: str | Path, keras_1: bool = False) -> dict[str, Any]:
    """Read one document whose root is a mapping.

    A root that is a text is read once more: what `json.dump(model.to_json(), file)` wrote is a text that holds JSON.

    Args:
        data: its bytes, UTF-8.
        path: where they come from, for messages.
        keras_1: also read what Keras 1 wrote: `!!python/tuple` as a list, pickled NumPy numbers as numbers.

    Returns dicts, lists, str, int, float, bool and None. Raises `UserError` saying what was found and where.
    """
    if len(data) > MAX_FILE:
        raise UserError(f"{path}: larger than the {MAX_FILE:,} bytes allowed here; choose another file")
    try:
        document = _load(data.decode("utf-8-sig"), path, keras_1)
        if isinstance(document, str):
            document = _load(document, path, keras_1)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); choose another file") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{path}: {line}{error.problem}; mend the file or choose another") from None
    except (yaml.YAMLError, ValueError) as error:  # ReaderError for odd characters; numbers that are none
        raise UserError(f"{path}: not YAML ({str(error).splitlines()[0]}); choose another file") from None
    if not isinstance(document, dict):
        raise UserError(f"{path}: holds {_kind(document)}, not a list of settings; choose another file")
    return document


def _load(text, path, keras_1):
    _check_directives(text, path)
    _check_events(text, path, PLAIN_TAGS | KERAS_1_TAGS if keras_1 else PLAIN_TAGS)
    return yaml.load(text, Loader=_Keras1Loader if keras_1 else _PlainLoader)


def dump(document: dict[str, Any]) -> str:
    """Plain data as YAML text that a person can read: a block for each mapping, short lists on one line."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=110)


def _kind(document):
    return "nothing" if document is None else f"a single {type(document).__name__}"


def _check_directives(text, path):
    """Refuse `%TAG`: the parser compares each with all before it, so that 40,000 of them take it half a minute."""
    found = _TAG_DIRECTIVE.search(text)
    if found:
        line = len(_LINE_BREAK.findall(text, 0, found.end()))
        raise UserError(f"{path}: line {line + 1}: %TAG has no place here; remove the line or choose another file")


class _Open:
    """A collection that is being read: how many values are in it, and how deep it goes."""

    def __init__(self, anchor):
        self.anchor, self.values, self.depth = anchor, 1, 1


def _check_events(text, path, tags):
    """Walk over the document without building it, and refuse what is dangerous, too deep or too large."""
    stack = []  # the collections that are open
    # anchor (None: no anchor) -> values and depth of what it stands for, None while that is open
    anchors: dict[str | None, tuple[int, int] | None] = {}
    total = documents = 0
    end = 0  # of what has been walked over, in characters
    try:
        for event in yaml.parse(text, Loader=_PlainLoader):
            where, end = f"{path}: line {event.start_mark.line + 1}", event.end_mark.index
            values = depth = 0  # of what is complete with this event
            if isinstance(event, yaml.NodeEvent) and not isinstance(event, yaml.AliasEvent):
                if event.tag is not None and event.tag not in tags:
                    raise UserError(_what_was_found(event.tag, where))
                total += 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise UserError(f"{where}: a second document begins; keep one")
            elif isinstance(event, yaml.AliasEvent):
                known = anchors.get(event.anchor, (0, 0))  # an unknown one is the loader's to complain about
                if known is None:
                    raise UserError(f"{where}: *{event.anchor} contains itself; choose another file")
                values, depth = known
                total += values
            elif isinstance(event, yaml.ScalarEvent):
                values = 1
                anchors[event.anchor] = values, depth
            elif isinstance(event, yaml.CollectionStartEvent):
                stack.append(_Open(event.anchor))
                anchors[event.anchor] = None
            elif isinstance(event, yaml.CollectionEndEvent):
                closed = stack.pop()
                values, depth = closed.values, closed.depth
                anchors[closed.anchor] = values, depth
            if stack:
                stack[-1].values += values
                stack[-1].depth = max(stack[-1].depth, depth + 1)
            if len(stack) + depth > MAX_DEPTH:
                raise _too_deep(where)
            if total > MAX_NODES:
                raise UserError(f"{where}: more than {MAX_NODES:,} values; choose another file")
    except yaml.MarkedYAMLError as error:
        # The parser reads ahead, and may meet a limit of its own before the events that lead there come out.
        ahead = text[end : error.problem_mark.index] if error.problem_mark else ""
        if len(stack) + sum(ahead.count(bracket) for bracket in "[{") > MAX_DEPTH:
            raise _too_deep(f"{path}: line {error.problem_mark.line + 1}") from None
        raise


def _too_deep(where):
    return UserError(f"{where}: nested more than {MAX_DEPTH} deep; choose another file")


def _what_was_found(tag, where):
    shown = tag.replace(_CORE, "!!")
    if tag in KERAS_1_TAGS:
        return f"{where}: {shown} is from Keras 1; convert the files with: python -m shared.legacy"
    if tag.startswith(_PYTHON):
        return f"{where}: {shown} would run Python code; it is never loaded, choose another file"
    return f"{where}: unknown tag {shown}; remove it or choose another file"


_FastestLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C comes with most builds of PyYAML


class _PlainLoader(_FastestLoader):
    """Plain data only; a key may stand in a mapping once."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"{key!r:.60} is no name", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r:.60} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# The core schema of YAML 1.2; PyYAML's own is that of 1.1, where `no` is false and `1e-7` a word.
for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", list("-+.")),
):
    _PlainLoader.add_implicit_resolver(_CORE + _tag, re.compile(_pattern), _first)


def _integer(loader, node):
    text = loader.construct_scalar(node)
    if len(text) > 30:
        raise ValueError(f"{text[:30]}... is too long for a number")
    return int(text)


def _float(loader, node):
    text = loader.construct_scalar(node)
    return float(re.sub(r"\.(?=[iInN])", "", text))  # YAML writes .inf and .nan, Python inf and nan


def _boolean(loader, node):
    text = loader.construct_scalar(node)
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r:.40} is neither true nor false")
    return text.lower() == "true"


_PlainLoader.add_constructor(_CORE + "int", _integer)
_PlainLoader.add_constructor(_CORE + "bool", _boolean)
_PlainLoader.add_constructor(_CORE + "float", _float)


class _Keras1Loader(_PlainLoader):
    """Reads the Python values in the files of Keras 1 as data, without Python's help."""


def _numpy_dtype(loader, node):
    """`numpy.dtype` as pickled: the arguments name the type, the state the byte order."""
    if isinstance(node, yaml.MappingNode):
        fields = loader.construct_mapping(node, deep=True)
        arguments, state = fields.get("args"), fields.get("state", [3, "<"])
    else:
        arguments, state = loader.construct_sequence(node, deep=True), [3, "<"]
    name = arguments[0] if isinstance(arguments, list) and arguments else None
    order = state[1] if isinstance(state, list) and len(state) > 1 else None
    if not re.fullmatch(r"b1|[iu][1248]|f[248]", str(name)) or order not in ("<", ">", "|", "="):
        raise ValueError(f"a NumPy number of type {name!r}")
    return np.dtype(order.replace("=", "<") + name)


def _numpy_number(loader, node):
    """`numpy.core.multiarray.scalar` as pickled: a type and the number's bytes."""
    if isinstance(node, yaml.MappingNode):
        arguments = loader.construct_mapping(node, deep=True).get("args")
    else:
        arguments = loader.construct_sequence(node, deep=True)
    if not isinstance(arguments, list) or len(arguments) != 2 or not isinstance(arguments[0], np.dtype):
        raise ValueError("a NumPy number without its type")
    dtype, data = arguments
    if isinstance(data, str):  # Python 2 had no bytes of its own
        data = data.encode("latin-1")
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise ValueError(f"a NumPy number of type {dtype} in {data!r:.40}")
    return np.frombuffer(data, dtype)[0].item()


_Keras1Loader.add_constructor(_PYTHON + "tuple", lambda loader, node: loader.construct_sequence(node, deep=True))
_Keras1Loader.add_constructor(_DTYPE_TAG, _numpy_dtype)
for _tag in (_PYTHON + "str", _PYTHON + "unicode"):
    _Keras1Loader.add_constructor(_tag, lambda loader, node: loader.construct_scalar(node))
for _tag in _SCALAR_TAGS:
    _Keras1Loader.add_constructor(_tag, _numpy_number)


class _Dumper(yaml.SafeDumper):
    """Writes a list of plain values on one line."""

    def represent_sequence(self, tag, sequence, flow_style=None):
        flow = all(not isinstance(item, (dict, list)) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=flow)

    def ignore_aliases(self, data):
        return True
