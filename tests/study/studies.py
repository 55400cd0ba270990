"""How the tests of this folder read studies: from texts, with files that stand in a dict."""

from __future__ import annotations

import pytest

from packhorse.model.errors import StudyError
from packhorse.model.study import Factor, Study
from packhorse.study.parse import parse_study


def reader(files: dict[str, str | bytes] | None = None):
    def read(path: str) -> bytes:
        if files is None or path not in files:
            raise FileNotFoundError(path)
        content = files[path]
        return content if isinstance(content, bytes) else content.encode()

    return read


def parse(
    text: str, files: dict[str, str | bytes] | None = None, path: str = "sweep.yaml", **keywords
) -> Study:
    return parse_study(text, path=path, read=reader(files), **keywords)


def factors(
    parameters: str, files: dict[str, str | bytes] | None = None, more: str = ""
) -> tuple[Factor, ...]:
    indented = "".join(f"  {line}\n" for line in parameters.strip("\n").splitlines())
    return parse(f"command: 'true'\n{more}\nparameters:\n{indented}", files).factors


def refusal(text: str, files: dict[str, str | bytes] | None = None, **keywords) -> StudyError:
    with pytest.raises(StudyError) as caught:
        parse(text, files, **keywords)
    error = caught.value
    assert error.message, "an error says what is wrong"
    assert error.hint, "an error says what to do"
    return error
