"""Command templates, and any value through a real shell."""

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packhorse.model.errors import StudyError
from packhorse.study.template import check_format, compile_command, literal, render, split

NAMES = ["n", "method", "learning-rate", "model.depth"]


def filled(command, *, shell=False, **values):
    return render(compile_command(command, NAMES, shell=shell), values)


def refused(command, *, shell=False):
    with pytest.raises(StudyError) as caught:
        compile_command(command, NAMES, shell=shell, where="f:1:1")
    assert caught.value.where == "f:1:1"
    assert caught.value.hint
    return caught.value


def test_a_command_is_split_before_values_are_put_in():
    assert filled("python sim.py --n {n} 'a b' --m={method}", n=5, method="x y; rm $(z)") == [
        "python",
        "sim.py",
        "--n",
        "5",
        "a b",
        "--m=x y; rm $(z)",
    ]


def test_parts_are_texts_and_names_with_formats():
    assert compile_command("run {n:03d}-{method}.csv {output.csv}", NAMES) == [
        ["run"],
        [{"name": "n", "spec": "03d"}, "-", {"name": "method"}, ".csv"],
        [{"name": "output.csv"}],
    ]


def test_values_show_as_in_the_worker():
    values = {"n": 0.1, "method": None, "learning-rate": True, "model.depth": [1, "a"]}
    assert render(compile_command("{n} {method} {learning-rate} {model.depth}", NAMES), values) == [
        "0.1",
        "null",
        "true",
        '[1, "a"]',
    ]


def test_formats_are_pythons():
    assert filled("{n:03d} {n:.2f} {n:>5} {n:,}", n=1234) == ["1234", "1234.00", " 1234", "1,234"]
    with pytest.raises(StudyError, match="does not fit n=x"):
        check_format({"name": "n", "spec": "03d"}, "x")


def test_doubled_braces_are_braces():
    assert filled("awk '{{print $1}}' {{{n}}} {{}}", n=1) == ["awk", "{print $1}", "{1}", "{}"]
    assert filled([literal("{a}{{b")]) == ["{a}{{b"]


@given(st.text(max_size=30))
def test_any_word_can_be_written_literally(word):
    assert filled([literal(word)]) == [word]


def test_words_of_a_list_are_not_split():
    assert filled(["a b", "", ">", "{n}"], n=1) == ["a b", "", ">", "1"]


def test_lines_may_be_continued_by_a_backslash():
    assert split("python sim.py \\\n  --n 1\n") == ("python", "sim.py", "--n", "1")


@pytest.mark.parametrize(
    ("command", "said", "hint"),
    [
        ("run {metod}", "{metod} is neither a parameter", "Did you mean 'method'?"),
        ("awk '{print $1}'", "{print $1} is neither a parameter", "twice: {{ and }}"),
        ("echo '{\"a\": 1}'", "is neither a parameter", "twice"),
        ("find . -exec rm {}", "{} is neither a parameter", "twice"),
        ("run {n", "not matched", "{{"),
        ("run n}", "not matched", "{{"),
        ("run {n:zz}", "format 'zz'", "{n:03d}"),
        ("run {n:999999999d}", "format '999999999d'", "{n:03d}"),
        ("run {scratch:>9}", "is a path", "Write {scratch}"),
        ("run 'a", "open quote", "list"),
        ("run > out.txt", "'>', which needs a shell", "shell: true"),
        ("cd x; run", "'x;', which needs a shell", "shell: true"),
        ("   ", "empty", "python sim.py"),
    ],
)
def test_templates_that_cannot_mean_what_they_say_are_refused(command, said, hint):
    error = refused(command)
    assert said in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo '{n}'", "in quotes"),
        ('echo "{n}"', "in quotes"),
        ('echo "$(cat "{n}")"', "a command inside double quotes"),
        ("echo `cat {n}`", "backticks"),
        ("cat <<EOF\n{n}\nEOF", "here-document"),
        ("echo $(({n} + 1))", "arithmetic"),
        ("(({n}))", "arithmetic"),
        ("[[ {n} -eq 1 ]]", "[[ ]]"),
        ("a[{n}]=1", "array"),
        ("echo ${n}", "right after $"),
        ("echo ${{x:-{n}}}", "${...}"),
        ("echo \\{n}", "backslash"),
        ("true # {n}", "comment"),
        ("echo $'a' {n}", "$'...'"),
        ("echo 'a", "open quote"),
    ],
)
def test_placeholders_that_quoting_cannot_protect_are_refused(command, said):
    assert said in refused(command, shell=True).message


def test_a_list_is_no_command_for_a_shell():
    assert "one text" in refused(["a", "b"], shell=True).message


SHAPES = [
    "printf %s {method}",
    'x={method}; printf %s "$x"',
    "printf %s \"\"{method}''",
    "# don't mind me\nprintf %s {method} # it's fine",
    "printf %s $(: {method}){method}",
    "printf %s {method} | cat",
    'HOME={method}; printf %s "${{HOME}}"',
    "case {method} in {method}) printf %s {method};; esac",
    'f() {{ printf %s "$1"; }}; f {method}',
]
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40) | st.text(
    "'\"$`\\(){}[]<>;&|!#*?~ \n\t-=%a", max_size=30
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_any_value_passes_a_real_shell_unchanged(value):
    for shape in SHAPES:
        argv = filled(shape, shell=True, method=value)
        for shell in (["/bin/sh"], ["bash"], ["bash", "--posix"]):
            done = subprocess.run([*shell, *argv[1:]], capture_output=True, check=True)
            assert done.stdout == value.encode(), shape
            assert done.stderr == b""
