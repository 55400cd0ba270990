"""ph_map, ph_lapply, ph_mclapply and %dopar% in real R sessions, against what R's own functions give."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.r

HEAD = 'source(system("packhorse r", intern = TRUE))\n'


class Session:
    """A folder in which Rscript runs scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "CALLS": str(folder / "calls")}

    def start(self, text: str) -> subprocess.Popen[str]:
        """Start a script."""
        (self.folder / "script.R").write_text(HEAD + text, encoding="utf-8")
        return subprocess.Popen(
            ["Rscript", "--vanilla", "script.R"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, text: str, status: int = 0) -> tuple[str, str]:
        """Run a script; return what it prints and what it says on standard error."""
        process = self.start(text)
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, out + err
        return out, err

    def calls(self) -> list[str]:
        """Return what the calls have noted with NOTE, and forget it."""
        path = self.folder / "calls"
        found = sorted(path.read_text().split()) if path.exists() else []
        path.unlink(missing_ok=True)
        return found


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


NOTE = 'note <- function(x) cat(x, "\\n", file = Sys.getenv("CALLS"), append = TRUE)\n'


def test_lapply_and_mclapply_return_what_those_of_r_return(session: Session) -> None:
    session("""
    rm(list = ls())
    c <- 3  # variables that have the names of functions of base
    names <- "mine"
    offset <- 10
    helper <- function(x) x + offset
    closures <- local({ hidden <- 5; large <- numeric(1e6); list(add = function(x) x + hidden, f = function(x) helper(x) * hidden) })
    count <- function(n) if (n <= 0) 0 else 1 + count(n - 1)
    pick <- function(x, which, ...) { extra <- list(...); if (missing(which)) "none" else x[[which]] }
    outer <- function(k) list(lapply(1:3, function(i) i * k), ph_lapply(1:3, function(i) i * k))
    same <- function(X, FUN, ..., apply = ph_lapply) stopifnot(identical(apply(X, FUN, ...), lapply(X, FUN, ...)))
    ph_options(jobs = 2, chunk = 10)
    same(base::c(a = 1, b = 2, 3), helper, apply = ph_mclapply)
    same(list(1L, "text", NULL, mean, data.frame(a = 1:2)), function(x) class(x))
    same(1:5, function(i) if (i %% 2) NULL else closures$f(i))
    same(list(base::c(u = 1, v = 2), list(u = "x", v = NA)), pick, which = "v", apply = ph_mclapply)
    same(cars, "range")
    same(closures, function(f) if (is.function(f)) f(1))
    same(1:2, function(i) quote(a + b)[[1]])
    same(base::c(4, 0), count)
    same(1:2, function(x, i, list) x + i + list, i = 10, list = 100)
    mclapply <- ph_mclapply
    nested <- mclapply(1:2, function(i) unlist(mclapply(1:2, function(j) i * j)))
    stopifnot(identical(unlist(nested), base::c(1L, 2L, 2L, 4L)))
    stopifnot(identical(ph_lapply(list(), mean), list()), identical(ph_lapply(NULL, mean), list()))
    both <- outer(7)
    stopifnot(identical(both[[1]], both[[2]]))
    """)


def test_numbers_follow_from_the_seed_and_not_from_the_work(session: Session) -> None:
    session("""
    draw <- function(i) runif(2)
    set.seed(7); first <- ph_lapply(1:6, draw); second <- ph_lapply(1:6, draw)
    set.seed(7); ph_options(folder = "elsewhere", chunk = 1); again <- ph_lapply(1:6, draw)
    set.seed(7); longer <- ph_lapply(1:8, draw)
    set.seed(8); other <- ph_lapply(1:6, draw)
    stopifnot(identical(first, again), identical(longer[1:6], first), length(unique(unlist(c(first, second, other)))) == 36)
    # They are the streams of parallel, one after another.
    at <- getFromNamespace("nextRNGStream", "parallel")
    set.seed(1); states <- ph_lapply(1:3, function(i) .Random.seed)
    stopifnot(identical(at(states[[1]]), states[[2]]), identical(at(states[[2]]), states[[3]]))
    """)
    # A session that sets no seed gives the same numbers as the next one, and asks for them only once.
    text = (
        NOTE + "x <- ph_lapply(1:3, function(i) { note(i); runif(1) }); cat(format(unlist(x), digits = 17))"
    )
    assert session(text)[0] == session(text)[0]
    assert session.calls() == ["1", "2", "3"]


def test_what_has_ended_well_is_not_called_again(session: Session) -> None:
    text = NOTE + "f <- function(i) { note(i); if (i == LIMIT) stop('limit') else i^2 }\nset.seed(1)\n"
    assert session(text.replace("LIMIT", "0") + "cat(unlist(ph_lapply(1:4, f)))")[0] == "1 4 9 16"
    assert session.calls() == ["1", "2", "3", "4"]
    # Comments and spaces are not the function; more elements run alone.
    text = text.replace("{ note", "{   note").replace("LIMIT", "0")
    assert session(text + "cat(unlist(ph_lapply(1:6, f)))")[0] == "1 4 9 16 25 36"
    assert session.calls() == ["5", "6"]
    # Another variable that the function uses is another function; one that it does not use is none.
    assert session(text + "unused <- 3\ncat(unlist(ph_lapply(1:2, f)))")[0] == "1 4"
    assert session.calls() == []
    text = text.replace("i == 0", "i == limit") + "limit <- 2\n"
    _, err = session(text + "x <- ph_mclapply(1:3, f); stopifnot(inherits(x[[2]], 'try-error'), x[[3]] == 9)")
    assert "1 of 3 function calls resulted in an error; the first, Error in FUN(X[[2]], ...) : limit" in err
    assert session.calls() == ["1", "2", "3"]
    session(text + "x <- suppressWarnings(ph_mclapply(1:3, f))")
    assert session.calls() == ["2"], "only the call that failed"


def test_a_map_is_a_study_that_grows(session: Session) -> None:
    # The trial before a warm start would call the first task five times.
    text = (
        NOTE
        + "ph_options(warm = FALSE)\nf <- function(n, kind) { note(paste0(n, kind)); c(mean = mean(rnorm(n)), n2 = n * 2) }\n"
    )
    out, _ = session(
        text
        + "x <- ph_map(f, list(n = c(5L, 6L), kind = c('a', '1')), replicates = 2); write.csv(x, 'a.csv'); str(x$n)"
    )
    assert out.strip().startswith("int")
    assert session.calls() == ["51", "51", "5a", "5a", "61", "61", "6a", "6a"]
    session(
        text
        + """
    before <- read.csv("a.csv", row.names = 1, colClasses = c(kind = "character"))
    x <- ph_map(f, list(n = c(4L, 5L, 6L), kind = c("a", "1")), replicates = 3)
    both <- merge(before, x, by = c("n", "kind", "replicate"))
    stopifnot(nrow(x) == 18, nrow(both) == 8, all.equal(both$mean.x, both$mean.y), length(unique(x$mean)) == 18, identical(x$n2, x$n * 2))
    one <- ph_map(function(a) list(1, a), data.frame(a = c(1.1, 2)))
    stopifnot(identical(one$value, list(list(1, 1.1), list(1, 2))))
    flags <- ph_map(function(ok, replicate) if (is.na(ok)) replicate + 10 else replicate, data.frame(ok = c(TRUE, NA)), replicates = 2)
    stopifnot(identical(as.numeric(flags$value), c(0, 1, 10, 11)))
    """
    )
    # Ten calls, and where it was worth to find out whether they may start warm, four more starts of the first one.
    assert len(session.calls()) in {10, 14}
    tables = [path.read_text() for path in session.folder.glob("packhorse-calls/f-*/runs/*/results.csv")]
    assert "n,kind,replicate,seed,mean,n2,ph_index" in tables[0]


def test_an_error_says_which_call_and_how_it_came_to_it(session: Session) -> None:
    text = "g <- function(x) stop('x is ', x)\nf <- function(n) { if (n > 1) g(n); warning('small'); n }\n"
    _, err = session(text + "ph_map(f, list(n = 1:2))", status=1)
    assert "1 of 2 calls failed; the first is f(n = 2L, replicate = 0L): x is 2" in err
    assert 'FUN(n = n)\n  g(n)\n  stop("x is ", x)' in err
    out, err = session(
        text
        + """
    kept <- ph_map(f, list(n = 1:2), errors = "keep")
    cat(kept$value[[1]], conditionMessage(kept$value[[2]]))
    killed <- ph_mclapply(1:2, function(i) { if (i == 2) tools::pskill(Sys.getpid(), 9); i }, mc.preschedule = FALSE)
    stopifnot(killed[[1]] == 1)
    cat("\\n", killed[[2]], sep = "")
    own <- function(i) stop(structure(class = c("special", "error", "condition"), list(message = "mine", call = NULL, data = 42)))
    cat(tryCatch(ph_lapply(1:2, own), special = function(e) e$data))
    """
    )
    assert "in f(n = 1L, replicate = 0L): small" in err
    assert out.splitlines() == [
        "1 x is 2",
        "Error in FUN(X[[2]], ...) : its task ended without a value: killed by signal 9",
        "42",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ph_map(function(a) a, list(b = 1))", "f has no argument `b`, which params has"),
        ("ph_map(function(a) a, list(1))", "params must be a data frame or a list with names"),
        (
            "ph_map(function(a) a, list(a = c(1, 1)))",
            "params has row 2 twice; for repetitions use replicates =",
        ),
        ("ph_map(function(a) a, list(a = Inf))", "parameter `a` has a value that is not finite"),
        (
            "ph_map(function(a) a, list(a = 1), replicates = 1.5)",
            "replicates must be a whole number, 1 or more, not 1.5",
        ),
        ("ph_map(function(a) a, list(a = Sys.Date()))", "parameter `a` has the class Date"),
        ("ph_options(tiem = 1)", "no setting is called `tiem`; did you mean time?"),
        (
            "ph_options(command = '/no'); Sys.setenv(PATH = ''); ph_lapply(1, mean)",
            "the command packhorse was not found",
        ),
        ("ph_options(export = 'gone'); ph_lapply(1, function(x) x)", "there is no variable `gone` to export"),
        (
            "ph_options(folder = '/proc/no'); ph_lapply(1, mean)",
            "cannot be written; name another one: ph_options(folder",
        ),
        ("ph_collect(1)", "ph_collect needs what a call with detach = TRUE has returned"),
        ("ph_lapply(1, function(x) x, mc.cores = 2)", "unused argument (mc.cores = 2)"),
        ("ph_options(site = 'nowhere'); ph_lapply(1, mean)", "packhorse ended with exit status"),
    ],
)
def test_what_cannot_be_is_refused(session: Session, text: str, message: str) -> None:
    _, err = session(text, status=1)
    assert message in " ".join(err.split())


def test_files_that_a_function_names_travel_with_it(session: Session) -> None:
    text = """
    dir.create("data", showWarnings = FALSE)
    writeLines(c("a", "1", CELL), "data/one.csv"); writeLines("double <- function(x) 2 * x", "helper.R")
    total <- function(path) { source("helper.R", local = TRUE); double(sum(read.csv(path)$a)) }
    cat(unlist(ph_lapply("data/one.csv", total)), ph_map(function() nrow(read.csv("data/one.csv")))$value)
    """
    assert session(text.replace("CELL", '"2"'))[0] == "6 2"
    assert session(text.replace("CELL", '"3", "4"'))[0] == "16 3", "changed files are other files"


def test_files_are_private_and_a_changed_function_is_not_read(session: Session) -> None:
    session("f <- function(i) i; x <- ph_lapply(1:2, f)")
    top = session.folder / "packhorse-calls"
    (function,) = top.glob("lapply-*/packhorse-call/function.rds")
    secret = [
        function,
        *top.glob("lapply-*/packhorse-call/inputs/*.rds"),
        *top.glob("lapply-*/runs/*/artifacts/*/*.rds"),
    ]
    assert len(secret) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert stat.S_IMODE(top.stat().st_mode) == 0o700
    assert "*" in (top / ".gitignore").read_text().splitlines()
    text = function.read_bytes()
    function.write_bytes(text[:-1] + bytes([text[-1] ^ 1]))
    done = subprocess.run(
        ["Rscript", "--vanilla", "packhorse-call/call.R", "0" * 32],
        cwd=function.parents[1],
        env={**session.environment, "PACKHORSE_R": str(packhorse_r())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "so it is not read" in done.stderr


def packhorse_r() -> Path:
    """Return the file that tasks source."""
    import packhorse

    return Path(packhorse.__file__).parent / "r" / "packhorse.R"


def test_ctrl_c_stops_the_script_and_the_same_call_continues(session: Session) -> None:
    text = (
        NOTE
        + "x <- ph_mclapply(1:6, function(i) { note(i); Sys.sleep(0.8); i }, mc.preschedule = FALSE); cat(unlist(x))"
    )
    process = session.start(text)
    end = time.monotonic() + 60
    while time.monotonic() < end and not list(session.folder.glob("packhorse-calls/*/runs/*/artifacts/*")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1, err
    assert "finished calls are kept, and the same call in R continues" in err
    assert out == ""
    assert session(text)[0] == "1 2 3 4 5 6"
    assert 6 <= len(session.calls()) < 12, "what had ended was not called again"


# Each loop starts processes of R; those that cover the most are run each time.
@pytest.mark.rpackages
@pytest.mark.parametrize("loops", ["c(2, 5, 8, 9, 14)", pytest.param("1:15", marks=pytest.mark.campaign)])
def test_foreach_gives_what_doparallel_gives(session: Session, loops: str) -> None:
    session(
        """
    suppressPackageStartupMessages({ library(doParallel); library(doRNG) })
    outside <- 3
    helper <- function(x) x * outside
    loops <- function() {
      local <- 4
      large <- numeric(1e6)
      eval(quote(list(
        foreach(i = 1:5) %dopar% helper(i),
        foreach(i = 1:3, j = c(a = 4, b = 5, c = 6), .combine = c) %dopar% (i * j + local),
        foreach(i = 1:4, .combine = rbind, .multicombine = TRUE, .final = function(x) x * 2) %dopar% c(i, i^2),
        foreach(i = 1:4, .combine = "+", .init = 100, .inorder = FALSE) %dopar% i,
        foreach(i = 1:2, .combine = cbind) %:% foreach(j = 1:3, .combine = c) %dopar% { i * 10 + j },
        foreach(i = 1:6, .combine = c) %:% when(i %% 2 == 0) %dopar% i,
        foreach(i = 1:3, .errorhandling = "remove") %dopar% { if (i == 2) stop("no"); i },
        lapply(foreach(i = 1:3, .errorhandling = "pass") %dopar% { if (i == 2) stop("no"); i }, function(x) if (inherits(x, "error")) conditionMessage(x) else x),
        tryCatch(foreach(i = 1:3) %dopar% { if (i > 1) stop("no ", i); i }, error = conditionMessage),
        foreach(x = iter(data.frame(a = 1:2, b = 3:4), by = "row"), .combine = c) %dopar% sum(x),
        foreach(i = 1:2, .packages = "splines", .combine = c) %dopar% is.function(bs),
        foreach(i = 1:2, .export = "local", .combine = c) %dopar% get("local"),
        foreach(i = integer()) %dopar% i,
        { set.seed(3); as.numeric(foreach(i = 1:4, .combine = c) %dorng% runif(1)) },
        as.numeric(foreach(i = 1:4, .combine = c, .options.RNG = 5) %dorng% rnorm(1))
      ))[c(1, 1 + LOOPS)])
    }
    registerDoParallel(cores = 2)
    expected <- loops()
    registerDoPackhorse(cores = 2)
    stopifnot(getDoParName() == "doPackhorse", getDoParWorkers() == 2)
    found <- loops()
    for (i in seq_along(expected)) if (!isTRUE(all.equal(found[[i]], expected[[i]]))) { print(i); str(expected[[i]]); str(found[[i]]); stop("differs") }
    stopifnot(file.size(list.files("packhorse-calls", "function.rds", recursive = TRUE, full.names = TRUE)) < 1e5)
    """.replace("LOOPS", loops)
    )
