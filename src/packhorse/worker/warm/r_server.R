# A warm process: an R that loads packages once and becomes the tasks of a slot, one after another.
#
# R runs this file as Rscript runs a script. When a task is asked for, the process leaves a copy of itself behind (a
# fork), which waits for the next task, and goes on as the task: this file has ended, and R reads on in it, where the
# launcher has written the task's script. So the script runs at R's top level, in a process that R itself has started.
# The copy is a child of the task, and becomes the launcher's when the task ends. fork(2) and setsid(2) are called in
# the C library, since parallel:::mcfork makes children that may not open a graphics device.
#
# Requests: four bytes of length and a text of fields, each but the last followed by NUL; the first byte is its kind.
# `w` and packages (load them, then check); `r` and a task, as `begin` reads it. Replies: `s` and folders
# of packages (started), `o`, a process id and the packages that failed (ready), `b`, a package and a sentence (not fit to be
# copied), `p` and a process id (a task has begun; the process that waits for the next), `c` and a sentence (start it
# cold). R 4.0 or newer, base packages only.
local({
    level <- .Internal(enableJIT(0L)) # to compile this file would cost more than it takes
    first <- list(
        seed = get0(".Random.seed", globalenv(), inherits = FALSE),
        names = ls(globalenv(), all.names = TRUE),
        search = search()
    )
    unlink(tempdir(), recursive = TRUE) # each task makes one of its own
    words <- commandArgs()
    usual <- commandArgs
    folder <- tempdir
    ends <- commandArgs(trailingOnly = TRUE)
    library_c <- sub("^[^/]*", "", grep("/(libc|ld-musl)[-.][^/]*$", readLines("/proc/self/maps"), value = TRUE)[[1]])
    c_name <- dyn.load(library_c)[["name"]]
    requests <- file(ends[[1]], "rb", raw = TRUE)
    replies <- file(ends[[2]], "wb", raw = TRUE)

    reply <- function(kind, ...) {
        text <- charToRaw(paste0(kind, paste(c(...), collapse = "\n")))
        writeBin(length(text), replies, endian = "big")
        writeBin(text, replies)
        flush(replies)
    }

    receive <- function() {
        size <- readBin(requests, "integer", endian = "big")
        if (length(size) == 0) {
            .C("_exit", 0L, PACKAGE = c_name) # the launcher is gone
        }
        data <- readBin(requests, "raw", size)
        list(kind = rawToChar(data[[1]]), fields = readBin(c(data[-1], as.raw(0)), "character", sum(data == 0) + 1))
    }

    # Leave a copy of this process in a session of its own; return whether this is the copy.
    copied <- function() {
        pid <- Sys.getpid()
        .C("fork", PACKAGE = c_name)
        if (Sys.getpid() != pid) {
            .C("setsid", PACKAGE = c_name)
            return(TRUE)
        }
        FALSE
    }

    # The processes that this one has started; NULL with kernels that do not list them (proc(5)).
    children <- function() {
        path <- sprintf("/proc/self/task/%d/children", Sys.getpid())
        if (file.exists(path)) readLines(path, warn = FALSE)
    }

    # Let `commandArgs` give other words; its first line asks R for them.
    first_line <- quote(args <- .Internal(commandArgs()))
    stopifnot(identical(body(usual)[[2]], first_line))
    replace_arguments <- function(value) {
        changed <- usual
        body(changed)[[c(2, 3)]] <- value
        replace_base("commandArgs", changed)
    }

    replace_base <- function(name, value) {
        unlockBinding(name, baseenv())
        assign(name, value, baseenv())
        lockBinding(name, baseenv())
    }

    descriptors <- function() Sys.readlink(list.files("/proc/self/fd", full.names = TRUE))

    threads <- function() length(list.files("/proc/self/task")) > 1

    # Whether there are threads that a fork would lose. OpenBLAS ends its own before a fork, and starts them again when
    # they are needed (memory.c, openblas_fork_handler).
    has_threads <- function() {
        if (!threads()) {
            return(FALSE)
        }
        if (copied()) {
            .C("_exit", 0L, PACKAGE = c_name)
        }
        .C("wait", 0L, PACKAGE = c_name)
        threads()
    }

    # Packages whose threads can be stopped before a fork, and what a task does that a fork has not: cli starts the
    # thread of its progress bars (its onload.R), and data.table uses one thread in a fork (its openmp-utils.c).
    pause <- list(cli = function(space) .Call(space$clic_stop_thread))
    resume <- list(
        cli = function(space) {
            known <- space$clienv
            .Call(space$clic_start_thread, environment(space$dummy), known$tick_time, known$speed_time)
        },
        data.table = function(space) space$setDTthreads()
    )
    apply_to <- function(table, packages) {
        for (package in intersect(names(table), packages)) {
            try(table[[package]](asNamespace(package)), silent = TRUE)
        }
    }

    # Why a process in this state must not be copied, or NULL.
    trouble <- function(before, said) {
        opened <- setdiff(descriptors(), before)
        maps <- readLines("/proc/self/maps")
        if (length(said) > 0) {
            "prints when it is loaded"
        } else if (has_threads()) {
            "starts a thread when it is loaded"
        } else if (length(children()) > 0) {
            "starts a process when it is loaded"
        } else if (any(startsWith(opened, "socket:"))) {
            "opens a socket when it is loaded"
        } else if (any(startsWith(opened, "/dev/nvidia") | startsWith(opened, "/dev/kfd"))) {
            "opens a GPU when it is loaded"
        } else if (any(grepl("/lib(mpi|mpich|mpifort|pmi2?|pmix)[._]", maps))) {
            "loads an MPI library when it is loaded"
        } else if (!identical(search(), first$search)) {
            "attaches something when it is loaded"
        } else if (length(setdiff(ls(globalenv(), all.names = TRUE), c(first$names, ".Random.seed"))) > 0) {
            "writes to the global environment when it is loaded"
        } else if ("grDevices" %in% loadedNamespaces() && !is.null(grDevices::dev.list())) {
            "opens a graphics device when it is loaded"
        } else {
            asked
        }
    }

    # Load packages, checking after each; return those that failed, or the package and a sentence.
    asked <- NULL
    load <- function(packages) {
        before <- descriptors()
        loaded <- loadedNamespaces()
        failed <- character()
        replace_base("commandArgs", function(trailingOnly = FALSE) {
            asked <<- "reads the command line when it is loaded"
            usual(trailingOnly)
        })
        replace_base("tempdir", function(check = FALSE) {
            asked <<- "uses the temporary folder when it is loaded" # each task has another one
            folder(check)
        })
        is_object <- grepl("::", packages, fixed = TRUE)
        for (package in setdiff(packages[!is_object], loadedNamespaces())) {
            said <- NULL
            note <- function(condition) {
                said <<- conditionMessage(condition)
                tryInvokeRestart("muffleWarning")
                tryInvokeRestart("muffleMessage")
            }
            printed <- textConnection(NULL, "w")
            sink(printed)
            sink(printed, type = "message")
            tryCatch(
                withCallingHandlers(loadNamespace(package), warning = note, message = note),
                error = function(condition) failed <<- c(failed, package)
            )
            sink(type = "message")
            sink()
            now <- loadedNamespaces()
            apply_to(pause, setdiff(now, loaded))
            loaded <- now
            said <- c(said, textConnectionValue(printed))
            close(printed)
            why <- trouble(before, said)
            if (!is.null(why)) {
                return(list(package = package, why = why))
            }
        }
        replace_base("tempdir", folder)
        read_objects(packages[is_object])
        restore_seed()
        for (generation in 1:3) gc() # else a collection in a task writes to all of R's memory, which is then copied
        list(failed = failed)
    }

    # Read objects and data of packages from their files, which R does when they are first used (see ?lazyLoad).
    read_objects <- function(names) {
        package <- sub("::.*", "", names)
        names <- sub("^.*?::", "", names, perl = TRUE)
        for (i in which(package %in% loadedNamespaces())) {
            space <- asNamespace(package[[i]])
            for (place in c(space, if (package[[i]] != "base") getNamespaceInfo(space, "lazydata"))) {
                if (exists(names[[i]], place, inherits = FALSE) && !bindingIsActive(names[[i]], place)) {
                    try(get(names[[i]], place, inherits = FALSE), silent = TRUE)
                }
            }
        }
    }

    # What packages drew when they were loaded is not for the tasks.
    restore_seed <- function() {
        if (is.null(first$seed)) {
            suppressWarnings(rm(".Random.seed", envir = globalenv()))
        } else {
            assign(".Random.seed", first$seed, globalenv())
        }
    }

    # Go on as a task: its folder, its words, where to write what it has loaded (or ""), how many variables are to be
    # removed, these, and NAME=VALUE of those to be set.
    begin <- function(fields) {
        close(requests)
        close(replies)
        dyn.unload(library_c)
        setwd(fields[[1]])
        count <- as.integer(fields[[3]])
        arguments <- fields[4 + seq_len(count)]
        rest <- fields[-seq_len(4 + count)]
        if (length(rest) > 0) {
            position <- as.integer(regexpr("=", rest, fixed = TRUE))
            Sys.unsetenv(rest[position < 0])
            set <- position > 0
            if (any(set)) {
                values <- substring(rest[set], position[set] + 1)
                do.call(Sys.setenv, structure(as.list(values), names = substring(rest[set], 1, position[set] - 1)))
            }
        }
        tempdir(check = TRUE)
        start <- words[seq_len(which(startsWith(words, "--file="))[[1]])]
        start[[length(start)]] <- paste0("--file=", gsub(" ", "~+~", fields[[4]], fixed = TRUE))
        replace_arguments(if (count > 0) c(start, "--args", arguments) else start)
        apply_to(resume, loadedNamespaces())
        if (nzchar(fields[[2]])) {
            record(fields[[2]])
        }
        .Internal(enableJIT(level))
    }

    # Write to a file when R ends: the packages of this task, attached ones in their order, then the others, and
    # PACKAGE::NAME for each of their objects that was read from its file.
    record <- function(path) {
        fetched <- new.env()
        fetch <- lazyLoadDBfetch
        replace_base("lazyLoadDBfetch", function(key, datafile, compressed, hook) {
            fetched[[datafile]] <- c(fetched[[datafile]], paste(key, collapse = " "))
            fetch(key, datafile, compressed, hook)
        })
        reg.finalizer(globalenv(), onexit = TRUE, function(...) {
            libraries <- file.path(normalizePath(c(.Library, .libPaths())), "")
            attached <- sub("^package:", "", grep("^package:", rev(search()), value = TRUE))
            packages <- c(attached, setdiff(sort(loadedNamespaces()), attached))
            paths <- vapply(packages, function(package) system.file(package = package), "")
            installed <- vapply(paths, function(path) {
                any(startsWith(normalizePath(path, mustWork = FALSE), libraries))
            }, NA)
            indexes <- c("R/%s.rdx", "data/Rdata.rdx")
            objects <- lapply(packages[installed], function(package) {
                lapply(file.path(paths[[package]], sub("%s", package, indexes, fixed = TRUE)), function(index) {
                    keys <- fetched[[sub("x$", "b", index)]]
                    if (!is.null(keys)) {
                        known <- vapply(readRDS(index)$variables, paste, "", collapse = " ")
                        paste0(package, "::", names(known)[known %in% keys])
                    }
                })
            })
            objects <- unlist(objects)
            writeLines(c(packages[installed], grep("\n", objects, value = TRUE, invert = TRUE)), path)
        })
    }

    reply("s", R.home(), .libPaths())
    repeat {
        request <- receive()
        if (request$kind == "w") {
            done <- tryCatch(load(request$fields[nzchar(request$fields)]), error = identity)
            if (inherits(done, "error")) {
                reply("c", conditionMessage(done))
            } else if (!is.null(done$why)) {
                reply("b", done$package, done$why)
            } else if (copied()) { # what loading has used is not counted to a task
                reply("o", Sys.getpid(), done$failed)
            } else {
                .C("_exit", 0L, PACKAGE = c_name)
            }
        } else if (copied()) {
            reply("p", Sys.getpid())
        } else if (identical(children(), character())) {
            reply("c", "the system lets it start no process")
        } else {
            break
        }
    }
    begin(request$fields)
    invisible()
})
