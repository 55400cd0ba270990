# What a function needs that is called in another process: the variables that it uses, files, packages.

# Names that the body and the defaults of a function use and do not define.
names_used <- function(f) {
  if (requireNamespace("codetools", quietly = TRUE)) {
    found <- tryCatch(codetools::findGlobals(f, merge = TRUE), error = function(e) NULL)
    if (!is.null(found)) return(found)
  }
  unique(c(all.names(body(f)), unlist(lapply(formals(f), all.names))))
}

# Frames are environments of calls of functions: not the global one, a package, or an attached list.
is_frame <- function(env) {
  !identical(env, globalenv()) && !identical(env, emptyenv()) && !identical(env, baseenv()) &&
    !isNamespace(env) && is.null(attr(env, "name"))
}

# The first environment from `env` upwards that has the variable; NULL where none has it.
locate <- function(name, env) {
  while (!identical(env, emptyenv())) {
    if (exists(name, envir = env, inherits = FALSE)) return(env)
    env <- parent.env(env)
  }
  NULL
}

# Return the function, with frames that have only what it uses, and the global variables that it uses, also by way of
# other functions. `export`: further names, seen from the function; `values`: arguments, which may be functions.
capture <- function(f, values = list(), export = character()) {
  frames <- list()
  needed <- list()
  globals <- list()
  aliases <- character()
  seen <- list()
  place <- function(env) Position(function(one) identical(one, env), frames)

  note <- function(name, env) {
    at <- locate(name, env)
    if (is.null(at) || !is_frame(at) && !identical(at, globalenv())) return()
    value <- tryCatch(get(name, envir = at, inherits = FALSE), error = function(e) NULL)
    if (missing(value) || name %in% c("...", ".Random.seed")) return()
    # Another name of a function of Packhorse, as in mclapply <- ph_mclapply.
    if (is.function(value) && identical(environment(value), OWN)) {
      public <- Find(function(one) identical(get(one, OWN), value), PUBLIC)
      aliases[name] <<- public
      return()
    }
    if (is_frame(at)) {
      if (is.na(place(at))) frames <<- c(frames, at)
      i <- place(at)
      needed[i] <<- list(unique(c(if (i <= length(needed)) needed[[i]], name)))
    } else {
      if (name %in% names(globals)) return()
      globals[name] <<- list(value)
    }
    visit(value)
  }
  visit <- function(value) {
    if (is.list(value) && !is.object(value)) for (one in value) if (is.function(one) || is.list(one)) visit(one)
    if (!is.function(value) || is.primitive(value)) return()
    env <- environment(value)
    if (isNamespace(env) || any(vapply(seen, identical, NA, value))) return()
    seen <<- c(seen, value)
    for (name in names_used(value)) note(name, env)
  }
  visit(f)
  visit(values)
  for (name in export) {
    if (is.null(locate(name, environment(f)))) stop("there is no variable `", name, "` to export", call. = FALSE)
    note(name, environment(f))
  }

  copies <- lapply(frames, function(env) new.env())
  copy_of <- function(env) {
    while (is_frame(env) && is.na(place(env))) env <- parent.env(env)
    if (is_frame(env)) copies[[place(env)]] else env
  }
  rebind <- function(value) {
    if (is.list(value) && !is.object(value)) value[] <- lapply(value, function(one) if (is.function(one)) rebind(one) else one)
    if (is.function(value) && !is.primitive(value)) {
      if (is_frame(environment(value))) environment(value) <- copy_of(environment(value))
      value <- utils::removeSource(value)
    }
    value
  }
  for (i in seq_along(frames)) {
    parent.env(copies[[i]]) <- copy_of(parent.env(frames[[i]]))
    for (name in needed[[i]]) assign(name, rebind(get(name, envir = frames[[i]], inherits = FALSE)), envir = copies[[i]])
  }
  list(FUN = rebind(f), globals = lapply(globals, rebind), aliases = aliases, frames = copies, functions = seen)
}

# Bytes that are equal for equal values: of functions their text, since R compiles functions while it works.
fingerprint <- function(value) {
  if (is.environment(value) && is_frame(value)) value <- as.list(value, all.names = TRUE, sorted = TRUE)
  if (is.function(value)) {
    text <- deparse(utils::removeSource(as_closure(value)), control = c("keepNA", "keepInteger", "digits17", "showAttributes"))
    return(charToRaw(paste(c("function", text), collapse = "\n")))
  }
  is_list <- is.list(value) && !is.object(value)
  if (is_list && any(vapply(value, function(one) is.function(one) || is.list(one), NA))) {
    head <- serialize(list(length(value), attributes(value)), NULL, version = 2)[-(1:14)]
    return(c(head, unlist(lapply(unname(value), fingerprint))))
  }
  serialize(value, NULL, version = 2)[-(1:14)]  # the first 14 bytes name the version of R
}
as_closure <- function(f) if (is.primitive(f)) eval(call("function", NULL, as.name(deparse(f)[1]))) else f

# MD5 of the fingerprints of values, each for itself.
digests <- function(values) {
  files <- tempfile(rep("fingerprint-", length(values)))
  on.exit(unlink(files))
  for (i in seq_along(values)) writeBin(fingerprint(values[[i]]), files[i])
  unname(tools::md5sum(files))
}

# Texts within functions or values that name files of the working directory, such as "data.csv" in read.csv("data.csv").
files_named <- function(values) {
  walk <- function(x) {
    if (is.character(x)) return(utils::head(x, 10000))
    if (is.function(x) && !is.primitive(x)) return(c(walk(body(x)), walk(as.list(formals(x)))))
    if (is.call(x) || is.list(x) && !is.object(x)) return(unlist(lapply(as.list(x), function(one) if (!missing(one)) walk(one))))
    character()
  }
  found <- unique(as.character(unlist(lapply(values, walk))))
  found <- found[!is.na(found) & nzchar(found) & nchar(found, "bytes") < 1000 & !grepl("^(/|~|[A-Za-z]:)|(^|/)\\.\\.(/|$)|\n", found)]
  found <- found[file.exists(found)]
  found[!dir.exists(found)]
}

# Packages of this session that the other process must attach, in the same order: not those that R attaches itself, nor
# those that only register another backend.
attached_packages <- function() {
  names <- sub("^package:", "", grep("^package:", search(), value = TRUE))
  own <- c("base", "methods", "datasets", "utils", "grDevices", "graphics", "stats")
  rev(setdiff(names, c(own, "doParallel", "doMC", "doSNOW")))
}
