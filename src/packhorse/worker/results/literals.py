"""Python literals as results: `print({"a": np.float64(1.5)})` prints no JSON, but it is as exact.

Only literals are read, and a few names and calls in which Python and NumPy print numbers: nothing is executed.
"""

import ast
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CALLS = frozenset(
    [
        "array",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "longdouble",
        "bool_",
        "bool",
        "str_",
        "OrderedDict",
        "defaultdict",
        "dict",
        "set",
        "frozenset",
        "Decimal",
    ]
)
NAMES = {"nan": float("nan"), "inf": float("inf"), "NaN": float("nan"), "Infinity": float("inf")}
NAMES["True_"], NAMES["False_"] = True, False
NAMES["true"], NAMES["false"], NAMES["null"] = True, False, None  # type: ignore[assignment]


def literal_as_json(text: str) -> str:
    """Return a Python literal as JSON; raise ValueError, which names the value that is anything else."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        at = max(0, (error.offset or 1) - 1)
        raise ValueError("Python cannot read it from %r on" % text.strip()[at : at + 30]) from None
    except (RecursionError, MemoryError):
        raise ValueError("not a Python literal") from None
    return json.dumps(_value(tree.body), separators=(",", ":"))


def _value(node: "Any") -> "Any":
    """Return the value of a node; raise ValueError where it is not a literal."""
    read = READERS.get(type(node).__name__)
    if read is None:
        raise ValueError("not a Python literal")
    return read(node)


def _items(node: "Any") -> "list[Any]":
    return [_value(item) for item in node.elts]


def _signed(node: "Any") -> "Any":
    number, sign = _value(node.operand), type(node.op).__name__
    if not isinstance(number, (int, float)) or sign not in ("USub", "UAdd"):
        raise ValueError("not a Python literal")
    return -number if sign == "USub" else number


def _named(node: "Any") -> "Any":
    name = getattr(node, "id", None) or getattr(node, "attr", None)
    if name not in NAMES:
        raise ValueError("not a Python literal")
    return NAMES[name]


def _constant(node: "Any") -> "Any":
    value = getattr(node, {"Num": "n", "Str": "s"}.get(type(node).__name__, "value"))
    if not (value is None or isinstance(value, (bool, int, float, str))):
        raise ValueError("not a Python literal")
    return value


def _mapping(node: "Any") -> "dict[str, Any]":
    found: "dict[str, Any]" = {}
    for key, item in zip(node.keys, node.values):
        if key is None:  # **
            raise ValueError("not a Python literal")
        name = _value(key)
        name = name if isinstance(name, str) else json.dumps(name)
        if name in found:
            raise ValueError("the name %r occurs twice" % name)
        try:
            found[name] = _value(item)
        except ValueError:
            raise ValueError("the value of %r is neither a number nor a text, list or dict" % name) from None
    return found


def _call(node: "Any") -> "Any":
    """Return the value of np.float64(1.5), array([1, 2]) and their like."""
    name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
    others = [keyword.arg for keyword in node.keywords if keyword.arg not in ("dtype", "shape")]
    arguments = node.args[-1:] if name == "defaultdict" else node.args
    if name not in CALLS or len(arguments) != 1 or others:
        raise ValueError("not a Python literal")
    value = _value(arguments[0])
    if name == "Decimal":
        return float(value)
    if name == "OrderedDict" and isinstance(value, list):
        return dict(value)
    return value


READERS = {
    "Dict": _mapping,
    "List": _items,
    "Tuple": _items,
    "Set": lambda node: sorted(_items(node)),
    "UnaryOp": _signed,
    "Call": _call,
    "Name": _named,
    "Attribute": _named,
    "Constant": _constant,
    # Before Python 3.8:
    "Num": _constant,
    "Str": _constant,
    "NameConstant": _constant,
}
