# A backend of the package foreach: %dopar% sends its calls to Packhorse.

# registerDoPackhorse(site = "hec", time = "10 min"): settings as in ph_options(), for %dopar% alone.
registerDoPackhorse <- function(site = NULL, cores = NULL, ...) {
  if (!requireNamespace("foreach", quietly = TRUE)) stop("install.packages(\"foreach\") first: R has no package foreach here", call. = FALSE)
  own <- list(...)
  if (!is.null(site)) own$site <- site
  if (!is.null(cores)) own$jobs <- cores
  check_settings(own)
  if (isTRUE(own$detach)) stop("%dopar% cannot detach, since it returns values; use ph_lapply or ph_map", call. = FALSE)
  foreach::setDoPar(do_packhorse, own, function(data, item) {
    switch(item,
      name = "doPackhorse",
      version = VERSION,
      workers = if (!is.null(data$jobs)) data$jobs else if (is.null(data$site)) ph_cores() else 1000L
    )
  })
  invisible()
}

do_packhorse <- function(obj, expr, envir, data) {
  if (!inherits(obj, "foreach")) stop("obj must be a foreach object")
  set <- utils::modifyList(with_settings(), data)
  set$detach <- NULL
  own <- obj$options$packhorse
  if (!is.null(own)) {
    check_settings(own)
    set <- utils::modifyList(set, own)
  }
  set$packages <- unique(c(set$packages, obj$packages))
  set$export <- unique(c(set$export, setdiff(obj$export, obj$noexport)))

  iterator <- iterators::iter(obj)
  accumulate <- foreach::makeAccum(iterator)
  calls <- as.list(iterator)
  # The expression as a function of the iteration variables, which sees what the loop sees.
  variables <- unique(unlist(lapply(calls, names)))
  FUN <- as.function(c(stats::setNames(rep(list(quote(expr = )), length(variables)), variables), list(expr)), envir = envir)
  records <- call_all(FUN, calls, list(), session_seed(set), "foreach", set, kind = "named")
  relay_warnings(records, sprintf("task %d", seq_along(records)))
  values <- if (length(records)) values_of(records, character(length(records)), attr(records, "folder"), "keep", attr(records, "lost")) else list()

  tryCatch(accumulate(values, seq_along(values)), error = function(e) {
    cat("error calling combine function:\n")
    print(e)
  })
  error <- foreach::getErrorValue(iterator)
  if (identical(obj$errorHandling, "stop") && !is.null(error)) {
    stop(simpleError(sprintf("task %d failed - \"%s\"", foreach::getErrorIndex(iterator), conditionMessage(error)), call = expr))
  }
  foreach::getResult(iterator)
}
