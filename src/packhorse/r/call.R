# One task of ph_map, ph_lapply, ph_mclapply or foreach: it calls the function, and writes what the calls return.
# Usage: Rscript packhorse-call/call.R MD5, in the folder of the study. A chunk is a task of several calls.

source(Sys.getenv("PACKHORSE_R"))

local({
  Sys.umask("077")
  folder <- "packhorse-call"
  read <- function(file, digest) {
    path <- file.path(folder, file)
    found <- unname(tools::md5sum(path))
    if (!identical(found, digest)) {
      stop(path, " has the MD5 digest ", found, ", not ", digest, ", so it is not read; call the function again from R")
    }
    readRDS(path)
  }
  given <- read("function.rds", commandArgs(TRUE)[1])
  for (name in given$packages) library(name, character.only = TRUE)
  # A call within a call works in this process and on the cores of this task.
  assign("ph_lapply", lapply, envir = globalenv())
  assign("ph_mclapply", function(..., mc.cores) parallel::mclapply(..., mc.cores = ph_cores()), envir = globalenv())
  for (name in names(given$aliases)) assign(name, get(given$aliases[[name]]), envir = globalenv())
  for (name in names(given$globals)) assign(name, given$globals[[name]], envir = globalenv())

  # The call is spelled as lapply spells it, so that messages do not repeat the values.
  call <- function(X, FUN, ...) FUN(X[[1L]], ...)
  call_one <- function(arguments) {
    if (given$kind == "each") return(do.call(call, c(list(arguments, given$FUN), given$more), quote = TRUE))
    names <- lapply(names(arguments), as.name)
    frame <- list2env(c(arguments, list(FUN = given$FUN)), parent = globalenv())
    eval(as.call(c(list(quote(FUN)), stats::setNames(names, names(arguments)))), frame)
  }
  # What a call gives: a value, or an error with the calls that led to it; and its warnings.
  record <- function(arguments) {
    warnings <- character()
    trace <- NULL
    ended <- tryCatch(
      list(value = withCallingHandlers(
        call_one(arguments),
        warning = function(w) {
          if (length(warnings) < 50) warnings <<- c(warnings, conditionMessage(w))
          invokeRestart("muffleWarning")
        },
        error = function(e) {
          stack <- vapply(sys.calls(), function(one) substr(deparse(one, nlines = 1)[1], 1, 200), "")
          from <- max(1, which(startsWith(stack, "FUN(")))
          # The last two are those of R that call this handler.
          trace <<- utils::head(stack[seq_along(stack) >= from], -2)
        }
      )),
      error = function(e) list(error = e, trace = trace)
    )
    c(ended, if (length(warnings)) list(warnings = warnings))
  }
  write <- function(path, values) saveRDS(list(format = "packhorse-values", version = 1L, values = values), path)

  run_point <- function() {
    arguments <- ph_params()
    for (name in names(given$types)) {
      value <- arguments[[name]]
      arguments[[name]] <- as.vector(if (is.null(value)) NA else value, given$types[[name]])
    }
    key <- .packhorse$md5(.packhorse$point_key(arguments[names(given$types)], replicate))
    if (given$replicate) arguments$replicate <- replicate
    ph_seed()
    one <- record(arguments)
    write(paste0("values-", key, ".rds"), list(one))
    for (text in one$warnings) message("Warning: ", text)
    if (is.null(one$error)) return(report(one$value))
    message(paste(c(paste("Error:", conditionMessage(one$error)), utils::tail(one$trace, 10)), collapse = "\n  "))
    quit(status = 1)
  }
  # The table has what JSON can hold in 1 MiB; the value itself is in the file.
  report <- function(value) {
    if (is.atomic(value) && is.null(names(value)) && length(value) == 1) value <- list(value = value)
    text <- tryCatch(.packhorse$write_json(value), error = function(e) "")
    named <- is.data.frame(value) || !is.null(names(value)) && !any(names(value) == "")
    if (named && nzchar(text) && nchar(text) < 2^20) ph_result(value) else ph_result(class = class(value)[1])
  }
  run_chunk <- function(chunk) {
    calls <- read(file.path("inputs", paste0(chunk, ".rds")), ph_params()$md5)
    values <- lapply(seq_along(calls$arguments), function(i) {
      RNGkind("L'Ecuyer-CMRG", "Inversion", "Rejection")
      assign(".Random.seed", calls$states[[i]], envir = globalenv())
      record(calls$arguments[[i]])
    })
    write(paste0("values-", chunk, ".rds"), values)
    failed <- sum(vapply(values, function(one) !is.null(one$error), NA))
    ph_result(calls = length(values), failed = failed)
  }
  if (given$kind == "point") run_point() else run_chunk(ph_params()$chunk)
})
