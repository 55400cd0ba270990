# ph_map, ph_lapply, ph_mclapply.

# --- One task a call: a study in R ---

# Call f once for each row of `params` and each replicate, as tasks of a study; return a data frame with a row each.
#   f           its arguments are the parameters, and `replicate` if it has such an argument
#   params      a data frame (a row is a point), or a named list of vectors (all combinations are points)
#   site        a site's name; NULL: this machine
#   replicates  calls at each point, each with its own L'Ecuyer stream, which follows from seed, parameters and replicate
#   errors      "stop": stop if a call failed, after all others have ended; "keep": its error is in the column `value`
#   detach      submit to the site and return; ph_collect() or the same call without it fetches the values
#   ...         further settings of ph_options(), such as time = "10 min"
# Columns: the parameters, replicate, and value; a named list or vector of single values gives a column for each name.
# A finished call is not run again: more rows, levels or replicates run only what is new.
ph_map <- function(f, params = list(), site = NULL, replicates = 1, seed = 0, errors = c("stop", "keep"), detach = FALSE,
                   name = NULL, ...) {
  errors <- match.arg(errors)
  if (is.null(name)) name <- if (is.symbol(substitute(f))) deparse(substitute(f)) else "map"
  check_settings(list(...))
  set <- with_settings(...)
  if (!is.null(site)) set$site <- site
  set$detach <- detach
  f <- match.fun(f)
  points <- points_of(params)
  check_arguments(f, names(points))
  if (!is_whole(replicates, 1)) stop("replicates must be a whole number, 1 or more, not ", format(replicates), call. = FALSE)
  if (!is_whole(seed, 0)) stop("seed must be a whole number, 0 or more, not ", format(seed), call. = FALSE)

  captured <- capture(f, export = set$export)
  files <- unique(c(set$files, files_named(c(captured$functions, captured$globals))))
  types <- vapply(points, typeof, "")
  wants_replicate <- "replicate" %in% names(formals(args(f))) && !"replicate" %in% names(points)
  folder <- make_folder("point", name, captured, list(), seed, types, wants_replicate, files, set)
  copy_files(unique(c(files, files_named(as.list(points)))), folder$path)
  levels <- lapply(points, as.list)
  study <- write_study(folder, if (length(levels)) list(zip = levels), seed, replicates, set)

  rows <- rep(seq_len(nrow(points)), each = replicates)
  table <- cbind(points[rows, , drop = FALSE], replicate = rep(seq_len(replicates) - 1L, nrow(points)))
  row.names(table) <- NULL
  keys <- .packhorse$md5(vapply(seq_along(rows), function(i) {
    .packhorse$point_key(lapply(points, function(column) column[[rows[i]]]), table$replicate[i])
  }, ""))
  run <- function(set) run_study(folder, study, keys, set)
  take <- function(found) {
    force(found)
    as_table(table, lapply(keys, function(key) found[[key]][[1]]), errors, folder)
  }
  if (detach) return(handle(run, take, set, folder, keys))
  take(run(set))
}

is_whole <- function(x, least) is.numeric(x) && length(x) == 1 && is.finite(x) && x == round(x) && x >= least && x < 2^53

points_of <- function(params) {
  if (!is.data.frame(params)) {
    if (!is.list(params) || length(params) && (is.null(names(params)) || any(names(params) == ""))) {
      stop("params must be a data frame or a list with names, as in list(n = c(10, 20))", call. = FALSE)
    }
    # As in a study file, the last parameter varies fastest.
    params <- if (length(params)) rev(expand.grid(rev(params), stringsAsFactors = FALSE, KEEP.OUT.ATTRS = FALSE)) else data.frame(row.names = 1L)
  }
  for (name in names(params)) {
    column <- params[[name]]
    if (is.factor(column)) column <- as.character(column)
    if (!is.atomic(column) || is.object(column) || !typeof(column) %in% c("double", "integer", "character", "logical")) {
      stop("parameter `", name, "` has the class ", class(column)[1], "; parameters are numbers, text or logical values. ",
        "Give other values to ph_lapply, or let the function look them up",
        call. = FALSE
      )
    }
    if (is.double(column) && any(is.infinite(column) | is.nan(column))) stop("parameter `", name, "` has a value that is not finite", call. = FALSE)
    params[[name]] <- column
  }
  if (!nrow(params)) stop("params has no rows, so there is nothing to call", call. = FALSE)
  if (anyDuplicated(params)) stop("params has row ", anyDuplicated(params), " twice; for repetitions use replicates = ", call. = FALSE)
  params
}

check_arguments <- function(f, given) {
  formals <- names(formals(args(f)))
  unknown <- setdiff(given, formals)
  if (length(unknown) && !"..." %in% formals) stop("f has no argument `", unknown[1], "`, which params has", call. = FALSE)
}

as_table <- function(table, records, errors, folder) {
  calls <- vapply(seq_len(nrow(table)), function(i) {
    columns <- table[i, , drop = FALSE]
    paste0("f(", paste(names(columns), vapply(columns, function(x) deparse(x[[1]])[1], ""), sep = " = ", collapse = ", "), ")")
  }, "")
  values <- values_of(records, calls, folder, errors, match(seq_along(records) - 1, read_failures(folder)$ph_index))
  relay_warnings(records, calls)
  cbind_values(table, values)
}

# Named lists or vectors of single values, with the same names in all, become columns.
cbind_values <- function(table, values) {
  single <- function(x) is.atomic(x) && length(x) == 1 && !is.null(x)
  flat <- function(x) !is.data.frame(x) && !is.null(names(x)) && (is.atomic(x) || is.list(x) && !is.object(x) && all(vapply(x, single, NA)))
  if (all(vapply(values, function(x) single(x) && is.null(names(x)), NA))) {
    table$value <- unlist(values)
    return(table)
  }
  first <- names(values[[1]])
  if (all(vapply(values, flat, NA)) && !any(first %in% names(table)) && all(vapply(values, function(x) identical(names(x), first), NA))) {
    for (name in first) table[[name]] <- unlist(lapply(values, function(x) x[[name]]))
  } else {
    table$value <- values
  }
  table
}

# --- Values, errors, warnings ---

# Values in order. An error is an error object; a call without an outcome gives one that says why, from the row `lost` of the
# table of failures.
values_of <- function(records, calls, folder, errors, lost) {
  causes <- read_failures(folder)$cause[lost]
  why <- ifelse(is.na(causes), "its task has not run", paste0("its task ended without a value: ", causes))
  values <- Map(function(one, why) {
    if (is.null(one)) simpleError(why) else if (!is.null(one$error)) one$error else one$value
  }, records, why)
  names(values) <- NULL
  failed <- vapply(records, function(one) is.null(one) || !is.null(one$error), NA)
  if (any(failed) && errors == "stop") {
    i <- which(failed)[1]
    error <- values[[i]]
    stop(call_error(error, sprintf("%d of %d calls failed; the first is %s: %s\n%sthe study: %s",
      sum(failed), length(records), calls[i], conditionMessage(error), trace_text(records[[i]]), folder$path
    )))
  }
  values
}
# The condition keeps its class and data, so that tryCatch handlers of f's own errors work.
call_error <- function(error, message) {
  error$message <- message
  error["call"] <- list(NULL)
  error
}
trace_text <- function(record) {
  trace <- utils::tail(record$trace, 10)
  if (length(trace)) paste0("calls:\n", paste0("  ", trace, "\n", collapse = "")) else ""
}
relay_warnings <- function(records, calls) {
  for (i in seq_along(records)) for (text in records[[i]]$warnings) warning("in ", calls[i], ": ", text, call. = FALSE)
}

# --- Many calls a task: lapply ---

# The seed of the streams of one call of ph_lapply, as text. It follows from the state of R's generator, which it advances,
# so set.seed() before it fixes all numbers. A session without a state counts its calls, and so has the same numbers each time.
session_seed <- function(set) {
  if (!is.null(set$seed)) return(format(set$seed, scientific = FALSE))
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) {
    settings_count$calls <- settings_count$calls + 1
    return(format(settings_count$calls))
  }
  state <- digests(list(get(".Random.seed", envir = globalenv())))
  stats::runif(1)
  sprintf("%.0f", as.numeric(paste0("0x", substr(state, 1, 13))))
}
settings_count <- new.env()
settings_count$calls <- 0

streams <- function(seed, count) {
  state <- c(10407L, .packhorse$lecuyer_state(seed))
  lapply(seq_len(count), function(i) {
    if (i > 1) state <<- parallel::nextRNGStream(state)
    state
  })
}

# Call FUN for each list of arguments, several calls a task, and return their records in order.
# Calls of the same function with the same arguments and the same stream that have ended well are not repeated.
call_all <- function(FUN, calls, more, seed, name, set, kind = "each", values = list()) {
  if (!length(calls)) return(list())
  captured <- capture(FUN, c(values, more, calls), set$export)
  files <- unique(c(set$files, files_named(c(captured$functions, captured$globals, more))))
  folder <- make_folder(kind, name, captured, more, seed, NULL, FALSE, files, set)
  used <- files_named(calls)
  copy_files(unique(c(files, used)), folder$path)
  states <- streams(seed, length(calls))
  contents <- unname(tools::md5sum(used))
  contents_of <- function(call) if (length(used)) contents[used %in% files_named(call)]
  keys <- digests(Map(function(call, state) list(call, state, contents_of(call)), calls, states))

  tasks <- assign_chunks(folder, keys, calls, states, set)
  study <- write_study(folder, list(zip = list(chunk = as.list(tasks$all$chunk), md5 = as.list(tasks$all$md5))), NULL, 1, set)
  wanted <- unique(tasks$index$chunk)
  run <- function(set) run_study(folder, study, wanted, set)
  take <- function(found) {
    force(found)
    records <- Map(function(chunk, place) found[[chunk]][[place]], tasks$index$chunk, tasks$index$place)
    remember(folder, tasks, keys, records)
    structure(unname(records), folder = folder, lost = match(tasks$index$chunk, read_failures(folder)$chunk))
  }
  if (isTRUE(set$detach)) return(handle(run, take, set, folder, wanted))
  take(run(set))
}

# Give each call its chunk and its place in it: those of an earlier session where it has one, else a new chunk.
assign_chunks <- function(folder, keys, calls, states, set) {
  path <- file.path(folder$path, "packhorse-call", "chunks.rds")
  none <- list(index = data.frame(key = character(), chunk = character(), place = integer()), all = data.frame(chunk = character(), md5 = character()))
  known <- if (file.exists(path)) readRDS(path) else none
  new <- which(!keys %in% known$index$key)
  for (members in split(new, chunk_numbers(length(new), set))) {
    name <- paste0("c", substr(.packhorse$md5(paste(c(nrow(known$all), keys[members]), collapse = " ")), 1, 12))
    file <- file.path(folder$path, "packhorse-call", "inputs", paste0(name, ".rds"))
    replace_rds(list(arguments = calls[members], states = states[members]), file)
    known$all <- rbind(known$all, data.frame(chunk = name, md5 = unname(tools::md5sum(file))))
    known$index <- rbind(known$index, data.frame(key = keys[members], chunk = name, place = seq_along(members)))
  }
  if (length(new)) replace_rds(known, path)
  list(index = known$index[match(keys, known$index$key), ], all = known$all, known = known)
}
# Calls that failed get a new chunk the next time, and so run again.
remember <- function(folder, tasks, keys, records) {
  failed <- keys[vapply(records, function(one) !is.null(one$error), NA)]
  if (!length(failed)) return()
  known <- tasks$known
  known$index <- known$index[!known$index$key %in% failed, ]
  replace_rds(known, file.path(folder$path, "packhorse-call", "chunks.rds"))
}
# Here four chunks a core, since an R process takes 0.2 s to start; on a site at most 1,000, which an array shares out.
# Neighbours are in different chunks, as with mclapply, since costs often grow with the index.
chunk_numbers <- function(count, set) {
  cores <- if (is.null(set$jobs)) ph_cores() else set$jobs
  most <- if (is.null(set$site)) 4 * cores else 1000
  size <- if (is.null(set$chunk)) 1 else set$chunk
  rep_len(seq_len(min(count, if (is.null(set$chunk)) most else ceiling(count / size))), count)
}

call_list <- function(X) {
  if (!is.vector(X) || is.object(X)) X <- as.list(X)
  stats::setNames(lapply(seq_along(X), function(i) X[i]), NULL)
}

# lapply, with the calls in other processes, here or on the site of ph_options(site = ). An error in FUN stops it.
ph_lapply <- function(X, FUN, ...) {
  FUN <- match.fun(FUN)
  set <- with_settings()
  records <- call_all(FUN, call_list(X), list(...), session_seed(set), "lapply", set)
  if (inherits(records, "ph_handle")) return(finish_with(records, function(records) lapply_values(records, X)))
  lapply_values(records, X)
}
lapply_values <- function(records, X) {
  calls <- sprintf("FUN(X[[%d]], ...)", seq_along(records))
  relay_warnings(records, calls)
  values <- if (length(records)) values_of(records, calls, attr(records, "folder"), "stop", attr(records, "lost")) else list()
  stats::setNames(values, names_of(X))
}
names_of <- function(X) if (is.vector(X) && !is.object(X)) names(X) else names(as.list(X))

# mclapply. A call that failed gives a "try-error" and a warning. mc.cores is the number of processes here, and means nothing
# on a site. mc.set.seed = FALSE: the streams do not follow from the state of R's generator, so that a function that draws
# no numbers is not called again in a session that has drawn others.
ph_mclapply <- function(X, FUN, ..., mc.preschedule = TRUE, mc.set.seed = TRUE, mc.silent = FALSE,
                        mc.cores = getOption("mc.cores", 2L), mc.cleanup = TRUE, mc.allow.recursive = TRUE, affinity.list = NULL) {
  FUN <- match.fun(FUN)
  set <- with_settings()
  if (!is.null(affinity.list)) warning("affinity.list has no effect with ph_mclapply", call. = FALSE)
  if (!is_whole(mc.cores, 1)) stop("'mc.cores' must be >= 1", call. = FALSE)
  if (is.null(set$site) && is.null(set$jobs)) set$jobs <- mc.cores
  if (!mc.preschedule && is.null(set$chunk)) set$chunk <- 1
  seed <- if (mc.set.seed) session_seed(set) else "0"
  records <- call_all(FUN, call_list(X), list(...), seed, "mclapply", set)
  if (inherits(records, "ph_handle")) return(finish_with(records, function(records) mclapply_values(records, X)))
  mclapply_values(records, X)
}
mclapply_values <- function(records, X) {
  if (!length(records)) return(stats::setNames(list(), names_of(X)))
  calls <- sprintf("FUN(X[[%d]], ...)", seq_along(records))
  relay_warnings(records, calls)
  values <- values_of(records, calls, attr(records, "folder"), "keep", attr(records, "lost"))
  failed <- which(vapply(records, function(one) is.null(one) || !is.null(one$error), NA))
  for (i in failed) {
    text <- paste0("Error in ", calls[i], " : ", conditionMessage(values[[i]]), "\n")
    values[[i]] <- structure(text, class = "try-error", condition = values[[i]])
  }
  if (length(failed)) {
    warning(length(failed), " of ", length(records), " function calls resulted in an error; the first, ", sub("\n$", "", values[[failed[1]]]), call. = FALSE)
  }
  stats::setNames(values, names_of(X))
}

# --- Detached ---

handle <- function(run, take, set, folder, keys) {
  run(set)
  set$detach <- FALSE
  structure(list(run = function() run(set), take = take, folder = folder, keys = keys), class = "ph_handle")
}
finish_with <- function(waiting, finish) {
  take <- waiting$take
  waiting$take <- function(found) finish(take(found))
  waiting
}

# Wait for calls that were started with detach, and return what the call without detach returns.
ph_collect <- function(handle) {
  if (!inherits(handle, "ph_handle")) stop("ph_collect needs what a call with detach = TRUE has returned", call. = FALSE)
  handle$take(handle$run())
}
print.ph_handle <- function(x, ...) {
  done <- sum(x$keys %in% names(read_values(x$folder, x$keys)))
  cat(x$folder$name, ": ", done, " of ", length(x$keys), " tasks have values here\n", sep = "")
  cat("  ph_collect(x) waits for them; packhorse status ", file.path(x$folder$path, "runs", x$folder$name), "\n", sep = "")
  invisible(x)
}
