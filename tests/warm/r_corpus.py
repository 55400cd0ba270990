"""Varied R scripts, each with what must come of it: `warm` (no difference), `off` (one that is found), or `cold`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

Case = dict[str, Any]


def case(name: str, text: str, *arguments: str, expect: str = "warm", **more: Any) -> Case:
    """Return a case that runs one script, or `argv` of its own, beside other files."""
    files = {"x.R": textwrap.dedent(text).lstrip("\n"), **more.pop("files", {})}
    return {
        "name": name,
        "argv": more.pop("argv", ["Rscript", *more.pop("flags", []), "x.R", *arguments]),
        "files": {path: textwrap.dedent(content).lstrip("\n") for path, content in files.items()},
        "needs": more.pop("needs", []),  # packages of R
        "expect": expect,
        "quick": more.pop("quick", False),
        "env": more.pop("env", {}),
    }


def r_cases() -> list[Case]:
    """Return every case; names are unique."""
    cases = [one for family in FAMILIES for one in family()]
    names = [one["name"] for one in cases]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    return cases


# What a script may ask about its start

ASKS = {
    "arguments": "commandArgs()",
    "own arguments": "commandArgs(trailingOnly = TRUE)",
    "arguments function": "args(commandArgs)",
    "interactive": "interactive()",
    "globals": "ls(globalenv(), all.names = TRUE)",
    "search": "search()",
    "namespaces": "sort(loadedNamespaces())",
    "options": "options()[setdiff(names(options()), 'askpass')]",
    "working directory": "getwd()",
    "variables": "{ v <- Sys.getenv(); v[names(v) != 'R_SESSION_TMPDIR'] }",
    "home": "c(R.home(), path.expand('~'))",
    "libraries": ".libPaths()",
    "locale": "c(Sys.getlocale(), l10n_info()[1:3], Sys.timezone())",
    "random kind": "RNGkind()",
    "no seed": "exists('.Random.seed')",
    "calls": "sys.calls()",
    "frames": "c(sys.nframe(), length(sys.frames()))",
    "function of the top": "sys.function",
    "devices": "c(dev.list(), dev.cur())",
    "connections": "showConnections()",
    "sinks": "c(sink.number(), sink.number('message'))",
    "libraries of C": "names(getLoadedDLLs())",
    "session": "sessionInfo()",
    "warnings": "warnings()",
    "last warning": "exists('last.warning')",
    "last value": "exists('.Last.value')",
    "trace": "traceback()",
    "umask": "Sys.umask()",
    "descriptors": "length(list.files('/proc/self/fd'))",
    "streams": "c(isatty(stdin()), isatty(stdout()), isatty(stderr()))",
    "temporary folder is there": "c(dir.exists(tempdir()), length(list.files(tempdir())), dirname(tempdir()), Sys.getenv('R_SESSION_TMPDIR') == tempdir())",
    "group": "readLines(sprintf('/proc/%d/status', Sys.getpid()))[c(9, 10)]",
    "leader": "system(paste('ps -o sess= -p', Sys.getpid()), intern = TRUE) |> as.integer() == Sys.getpid()",
    "signals": "grep('Sig(Ign|Blk|Cgt)', readLines('/proc/self/status'), value = TRUE)",
    "program": "Sys.readlink('/proc/self/exe')",
    "limits": "readLines('/proc/self/limits')",
    "stack": "Cstack_info()[c('direction', 'eval_depth')]",
    "compiler": "compiler::enableJIT(-1)",
    "threads": "length(list.files('/proc/self/task'))",
    "tasks callbacks": "getTaskCallbackNames()",
    "encoding": "c(Encoding('\\u00fc'), getOption('encoding'))",
    "nice": "system('nice', intern = TRUE)",
    "parent": "basename(Sys.readlink(sprintf('/proc/%s/exe', strsplit(readLines('/proc/self/stat'), ' ')[[1]][4])))",
}
ASKS_QUICK = {"arguments", "variables", "options", "globals", "calls"}


def asks() -> Iterator[Case]:
    for name, expression in ASKS.items():
        yield case(f"asks {name}", f"{expression}\n", "a", "b c", quick=name in ASKS_QUICK)


def random_numbers() -> Iterator[Case]:
    yield case("seeded", "set.seed(7)\nrunif(3); rnorm(3); sample(10)\n", quick=True)
    yield case("not seeded", "runif(3); rnorm(3); sample(1000)\n", quick=True)
    yield case("kind", "RNGkind('L\\'Ecuyer-CMRG', 'Box-Muller'); set.seed(3); rnorm(3); .Random.seed\n")
    yield case("kind and no seed", "RNGkind('Wichmann-Hill'); print(runif(5))\n")
    yield case(
        "kind of old versions",
        "suppressWarnings(RNGkind(sample.kind = 'Rounding')); set.seed(1); sample(100, 5)\n",
    )
    yield case("seed of an argument", "set.seed(as.integer(commandArgs(TRUE)[1])); runif(1)\n", "42")
    yield case(
        "streams", 'library(parallel); RNGkind("L\'Ecuyer-CMRG"); set.seed(1); nextRNGStream(.Random.seed)\n'
    )
    yield case("temporary names", "x <- tempfile(); cat(x, '\\n'); basename(tempdir())\n")
    yield case(
        "restored seed",
        "runif(1); s <- .Random.seed; a <- runif(2); .Random.seed <- s; identical(a, runif(2))\n",
    )


ENDS = {
    "end": "cat('done\\n')",
    "nothing": "",
    "quit": "quit(status = 3)",
    "q": "q('no', 4, FALSE)",
    "quit in a function": "f <- function() { on.exit(cat('left\\n')); quit(status = 5) }; f(); cat('not reached\\n')",
    "stop": "stop('it failed')",
    "stop in functions": "f <- function(x) g(x)\ng <- function(x) stop('deep')\nf(1)",
    "error of R": "log('a')",
    "missing object": "x + 1",
    "stopifnot": "stopifnot('no' = FALSE)",
    "on.exit": "f <- function() { on.exit(cat('bye\\n')); stop('x') }; f()",
    "last": ".Last <- function() cat('last\\n')\ncat('body\\n')",
    "last and quit": ".Last <- function() cat('last\\n')\nquit(status = 2)",
    "finaliser": "e <- new.env(); reg.finalizer(e, function(x) cat('final\\n'), onexit = TRUE); invisible(1)",
    "syntax": "x <- 1\ny y",
    "syntax in the first line": "y y",
    "open bracket": "x <- 1\nf(",
    "error option": "options(error = quote({ cat('handled\\n'); q(status = 9) }))\nstop('x')",
    "traceback option": "options(error = function() { traceback(2); quit(status = 1) })\nf <- function() stop('x')\nf()",
    "warn 1": "options(warn = 1); warning('now'); cat('after\\n')",
    "warn 2": "options(warn = 2); as.integer('a'); cat('not reached\\n')",
    "warning": "warning('later'); f <- function() warning('in f'); f(); cat('end\\n')",
    "many warnings": "for (i in 1:60) warning(paste('number', i))",
    "killed": "system(paste('kill -9', Sys.getpid()))\nSys.sleep(5)",
    "terminated": "system(paste('kill', Sys.getpid()))\nSys.sleep(5)",
    "interrupted": "system(paste('kill -2', Sys.getpid()))\nSys.sleep(1)\ncat('end\\n')",
    "user signal": "system(paste('kill -USR1', Sys.getpid()))\nSys.sleep(0.1)\ncat('not reached\\n')",
    "abort": "f <- function(n) f(n + 1)\nf(1)",
    "no last line end": "cat('without')\ncat('end\\n')  # no end of line",
    "invisible": "invisible(3)\n(invisible(4))\nNULL",
}
ENDS_ANY = {  # the first two do not say what they load; the message of the last one has an address
    "killed": "any",
    "terminated": "any",
    "abort": "any",
}
ENDS_QUICK = {"quit", "stop in functions", "syntax", "last", "warning"}


def ends() -> Iterator[Case]:
    for name, text in ENDS.items():
        yield case(f"ends with {name}", text, expect=ENDS_ANY.get(name, "warm"), quick=name in ENDS_QUICK)


SESSIONS = {
    "standard input": "readLines(file('stdin'))",
    "lines of the script": "x <- readLines(stdin(), 2)\nfirst\nsecond\nprint(x)",
    "scan of the script": "x <- scan(quiet = TRUE)\n1 2 3\n\nsum(x)",
    "readline": "readline('name? ')",
    "menu": "menu(c('a', 'b'))",
    "long lines": f"x <- '{'a' * 5000}'; nchar(x)",
    "long script": "".join(f"x{i} <- {i}\n" for i in range(3000)) + "length(ls())\n",
    "carriage returns": "x <- 1\r\nprint(x)\r\n",
    "utf-8": "x <- 'ü€'; print(x); nchar(x, 'bytes')",
    "large output": "for (i in 1:20000) cat(i, 'of a long output\\n')",
    "messages": "message('a'); cat('b\\n', file = stderr()); cat('c\\n'); write('d', stderr())",
    "sink": "sink('out.txt'); print(1:3); sink(); readLines('out.txt')",
    "sink left open": "sink('out.txt'); print(1:3)",
    "capture": "capture.output(print(1:3), cat('x\\n'))",
    "tryCatch": "tryCatch(stop('a'), error = function(e) print(conditionMessage(e)), finally = cat('f\\n'))",
    "handlers": "withCallingHandlers({ warning('w'); 1 }, warning = function(w) { cat('W\\n'); invokeRestart('muffleWarning') })",
    "signal": "signalCondition(simpleCondition('x')); simpleError('e')",
    "sys.call": "f <- function(...) { print(sys.call()); print(match.call()); parent.frame() }; f(a = 1)",
    "source": "source('second.R'); double(4); exists('hidden')",
    "source echo": "source('second.R', echo = TRUE)",
    "sys.source": "e <- new.env(); sys.source('second.R', e); ls(e)",
    "eval": "eval(parse(text = 'x <- 3; x + 1')); x",
    "environment variable": "Sys.setenv(A = 'b'); system('echo $A'); Sys.unsetenv('A'); Sys.getenv('A')",
    "change of folder": "dir.create('a'); setwd('a'); basename(getwd()); writeLines('x', 'y.txt')",
    "files": "write.csv(data.frame(a = 1:3, b = letters[1:3]), 'o.csv'); saveRDS(1:3, 'o.rds'); save(mtcars, file = 'o.rda'); read.csv('o.csv')",
    "temporary file": "f <- tempfile(); writeLines('a', f); readLines(f); length(list.files(tempdir()))",
    "system": "system('echo from a shell; exit 3'); system2('echo', 'x', stdout = TRUE)",
    "pipe": "p <- pipe('sort', 'w'); writeLines(c('b', 'a'), p); close(p)",
    "socket": "s <- tryCatch(serverSocket(0), error = identity); class(s)",
    "left connection": "f <- file('o.txt', 'w'); writeLines('not closed', f)",
    "S3": "print.mine <- function(x, ...) cat('mine\\n'); structure(1, class = 'mine'); format(Sys.Date(), '%A') %in% c('x')",
    "S4": "setClass('P', representation(x = 'numeric')); setGeneric('area', function(o) standardGeneric('area')); setMethod('area', 'P', function(o) o@x); area(new('P', x = 3)); setMethod('show', 'P', function(object) cat('P\\n')); new('P', x = 1)",
    "reference class": "A <- setRefClass('A', fields = list(n = 'numeric'), methods = list(up = function() { n <<- n + 1; invisible(.self) })); a <- A$new(n = 1); a$up(); a$n",
    "lm": "fit <- lm(mpg ~ wt, mtcars); print(summary(fit)); anova(fit)",
    "glm": "print(glm(am ~ wt, binomial, mtcars))",
    "optim": "optim(c(-1, 1), function(x) sum((x - 3)^2))$par; nls(mpg ~ a + b * wt, mtcars, start = list(a = 40, b = -5))",
    "linear algebra": "set.seed(1); m <- matrix(rnorm(40000), 200); sum(solve(crossprod(m)) %*% m[, 1]) > 0; svd(m)$d[1:3]; eigen(crossprod(m))$values[1:3]",
    "plot": "plot(1:10); hist(c(1, 2, 2, 3))",
    "png": "png('a.png', type = 'cairo'); plot(1:3); dev.off(); file.exists('a.png')",
    "pdf left open": "pdf('a.pdf', compress = FALSE); plot(1:3)",
    "grid": "library(grid); pdf('g.pdf'); grid.rect(); invisible(dev.off())",
    "time": "x <- Sys.time(); class(x); format(as.POSIXct(0, tz = 'UTC')); Sys.Date() > as.Date('2020-01-01')",
    "process time": "t <- proc.time()[['user.self']]; t < 5; system.time(1)[['elapsed']] < 5",
    "times that differ": "format(Sys.time(), '%Y-%m-%d %H:%M:%OS6'); Sys.getpid()",
    "time zone": "Sys.setenv(TZ = 'Asia/Tokyo'); format(as.POSIXct(0), '%H:%M %Z')",
    "options": "options(digits = 3, scipen = 100, OutDec = ','); pi; 1e10",
    "attach": "attach(mtcars); mean(mpg); detach(mtcars); search()",
    "conflict": "library(stats4); filter <- function(x) x; conflicts()",
    "require missing": "require(notthere); requireNamespace('notthere', quietly = TRUE)",
    "library missing": "library(notthere)",
    "detach and unload": "library(splines); detach('package:splines', unload = TRUE); 'splines' %in% loadedNamespaces()",
    "mask": "print <- function(...) cat('masked\\n'); print(1); base::print(2)",
    "environment printed": "f <- function() environment(); f(); print(mean)",
    "memory": "gc()[1, 1] > 0; x <- numeric(1e7); object.size(x)",
    "memory numbers": "gc()",
    "collections": "x <- list(); for (i in 1:200000) x[[i]] <- c(i, i); length(x); gc.time()[[1]] < 9",
    "loops": "s <- 0; for (i in 1:1e6) s <- s + i; s",
    "compiled": "f <- function(x) { for (i in 1:10) x <- x + i; x }; f(1); f(2); f(3); f",
    "Rprof": "Rprof('p.out'); for (i in 1:10) sort(runif(1e5)); Rprof(NULL); file.exists('p.out')",
    "trace function": "trace('mean', quote(cat('traced\\n')), print = FALSE); mean(1:3)",
    "debug": "f <- function(x) { browser(); x }\nf(1)\nc\ncat('end\\n')",
    "set time limit": "tryCatch({ setTimeLimit(elapsed = 0.2, transient = TRUE); repeat Sys.sleep(0.01) }, error = function(e) cat('limit\\n'))",
    "regular expressions": "gsub('(a)(b)?', '\\\\1', 'abac', perl = TRUE); sprintf('%5.2f', pi); format(1e6, big.mark = ',')",
    "bytes": "con <- rawConnection(raw(0), 'w'); writeBin(1:3, con); rawConnectionValue(con); close(con)",
    "sort": "sort(c('b', 'A', 'a', 'B')); order(c(3, 1, 2)); rev(list(1, 2))",
    "data": "data(iris); dim(iris); head(airquality)",
    "help index": "exists('help'); nrow(available <- installed.packages()[, 1:2, drop = FALSE]) > 5",
    "native": "x <- .Call(stats:::C_rnorm, 0L, 0, 1); length(x)",
    "arguments of a script": "a <- commandArgs(TRUE); as.numeric(a[1]) + as.numeric(sub('--b=', '', a[2]))",
}
SESSION_OFF = {"memory numbers": "off", "Rprof": "any"}  # the samples are few and differ by chance
SECOND = {"second.R": "double <- function(x) 2 * x\nhidden <- TRUE\n"}
SESSIONS_QUICK = {"lines of the script", "source", "plot"}


def sessions() -> Iterator[Case]:
    for name, text in SESSIONS.items():
        expect = SESSION_OFF.get(name, "warm")
        yield case(name, text + "\n", "3", "--b=4", expect=expect, files=SECOND, quick=name in SESSIONS_QUICK)


PARALLEL = {
    "mclapply": "library(parallel); set.seed(1); unlist(mclapply(1:4, function(i) i^2, mc.cores = 2))",
    "mclapply draws": 'library(parallel); RNGkind("L\'Ecuyer-CMRG"); set.seed(1); unlist(mclapply(1:4, function(i) rnorm(1), mc.cores = 2))',
    "mcparallel": "library(parallel); p <- mcparallel(1 + 1); unlist(mccollect(p), use.names = FALSE)",
    "mcparallel left": "library(parallel); p <- mcparallel(Sys.sleep(60)); cat('left\\n')",
    "child that dies": "library(parallel); suppressWarnings(mclapply(1:2, function(i) if (i == 1) tools::pskill(Sys.getpid(), 9) else i, mc.cores = 2))",
    "cluster": "library(parallel); cl <- makeCluster(2); parSapply(cl, 1:4, function(i) i^2); stopCluster(cl)",
    "fork cluster": "library(parallel); x <- 5; cl <- makeForkCluster(2); parSapply(cl, 1:4, function(i) i + x); stopCluster(cl)",
    "no child of ours": "parallel:::children(); parallel:::isChild(); parallel::detectCores() > 0",
    "children plot": "library(parallel); invisible(mclapply(1:2, function(i) { png(sprintf('p%d.png', i), type = 'cairo'); plot(i); dev.off() }, mc.cores = 2)); list.files(pattern = 'png')",
    "system in background": "system('sleep 60', wait = FALSE); cat('end\\n')",
}


def parallel() -> Iterator[Case]:
    for name, text in PARALLEL.items():
        yield case(name, text + "\n", quick=name == "mclapply")


PACKAGES = {
    "data.table": "library(data.table); d <- data.table(g = c('a', 'b', 'a'), x = 1:3); d[, .(s = sum(x)), by = g]; getDTthreads(); fwrite(d, 'o.csv'); fread('o.csv')",
    "R6": "library(R6); C <- R6Class('C', public = list(n = 0, up = function() { self$n <- self$n + 1; invisible(self) })); C$new()$up()$up()$n",
    "MASS": "library(MASS); rlm(mpg ~ wt, mtcars); mvrnorm(2, c(0, 0), diag(2)) |> dim()",
    "jsonlite": "library(jsonlite); toJSON(list(a = 1, b = letters[1:3]), auto_unbox = TRUE)",
    "mgcv": "library(mgcv); summary(gam(mpg ~ s(wt), data = mtcars))",
    "ggplot2": "library(ggplot2); ggsave('a.svg', ggplot(mtcars, aes(wt, mpg)) + geom_point(), device = 'pdf', width = 3, height = 3); theme_get()$text$size",
    "dplyr": "library(dplyr); mtcars |> group_by(cyl) |> summarise(m = mean(mpg))",
    "cli": "library(cli); cli_alert_success('ok'); for (i in cli_progress_along(1:3)) Sys.sleep(0.01); length(list.files('/proc/self/task'))",
    "foreach": "library(foreach); foreach(i = 1:3, .combine = c) %do% i^2",
    "doParallel": "library(doParallel); registerDoParallel(2); foreach(i = 1:3, .combine = c) %dopar% i^2",
    "future": "library(future); plan(multicore, workers = 2); value(future(1 + 1)); f <- future(Sys.getpid()); value(f) != Sys.getpid()",
    "tibble": "tibble::tibble(a = 1:2, b = c('x', 'y'))",
    "boot": "library(boot); set.seed(1); boot(mtcars$mpg, function(x, i) mean(x[i]), 50)",
    "processx": "processx::run('echo', 'a')$stdout",
    "callr": "callr::r(function() 1 + 1)",
    "brew": "brew::brew(text = 'a <%= 1 + 1 %>\\n')",
    "testthat": "library(testthat); test_that('it adds', expect_equal(1 + 1, 2))",
    "nlme": "library(nlme); fixef(lme(distance ~ age, Orthodont, ~ 1 | Subject))",
    "Matrix": "library(Matrix); m <- sparseMatrix(1:3, 1:3, x = 1:3); m %*% m",
}
PACKAGES_ANY = {"testthat"}  # it praises with a random picture
# These read the command line, or keep the name of the temporary folder, when they are loaded.
LEFT_OUT = {"callr", "future", "parallelly"}


def packages() -> Iterator[Case]:
    for name, text in PACKAGES.items():
        expect = "any" if name in PACKAGES_ANY else "warm"
        yield case(f"package {name}", text + "\n", needs=[name], expect=expect)


def starts() -> Iterator[Case]:
    shown = "print(commandArgs()); print(search())\n"
    yield case("vanilla", shown, flags=["--vanilla"])
    yield case("few packages", shown, flags=["--default-packages=stats,methods"])
    yield case("no packages", "print(search())\n", flags=["--default-packages=NULL"])
    yield case("latin", "x <- 'a'; print(Encoding(x))\n", flags=["--encoding=latin1"])
    yield case("slow start of the heap", "print(1)\n", flags=["--min-nsize=1M"])
    name = "a script.R"
    yield case("a space in the name", "", argv=["Rscript", name, "a"], files={name: shown})
    yield case("a folder", "", argv=["Rscript", "code/y.R", "-x", "--args", "-e"], files={"code/y.R": shown})
    text = "#!/usr/bin/env Rscript\n" + shown
    yield case("a first line", "", argv=["WORK/run", "a"], files={"run": text}, quick=True)
    yield case(
        "a profile",
        "a + 1; getOption('digits')\n",
        files={".Rprofile": "a <- 1; options(digits = 3)\n"},
        quick=True,
    )
    yield case("a profile that seeds", "runif(2)\n", files={".Rprofile": "set.seed(4)\n"})
    yield case("a profile that draws", "x\n", files={".Rprofile": "x <- stats::runif(1)\n"}, expect="off")
    yield case("a profile that prints", "1\n", files={".Rprofile": "cat('hello\\n')\n"}, expect="off")
    yield case("a profile that loads", "search()\n", files={".Rprofile": "library(stats4)\n"})
    yield case(
        "a profile that asks for the task", "a\n", expect="cold",
        files={".Rprofile": "a <- commandArgs(TRUE)\n"},
    )  # fmt: skip
    yield case("a first function", "a\n", files={".Rprofile": ".First <- function() a <<- 3\n"})
    yield case("an environment file", "Sys.getenv('MINE')\n", files={".Renviron": "MINE=yes\n"})
    yield case("a workspace is not read", "exists('a')\n", files={".RData": "RDX"})
    yield case("no script", "", argv=["Rscript", "missing.R"], expect="cold")
    yield case("variables of libraries", "Sys.getenv('R_LIBS'); .libPaths()\n", env={"R_LIBS": "/usr/share"})
    yield case("no temporary folder of its own", "dirname(tempdir())\n", env={"TMPDIR": "/var/tmp"})
    yield case("plain locale", "'ü'; Sys.getlocale('LC_CTYPE')\n", env={"LC_ALL": "C"})


FAMILIES = (asks, random_numbers, ends, sessions, parallel, packages, starts)
