# Calls of a function as a study: its folder, its tasks, the command `packhorse`, and the values that come back.

settings <- new.env() # of this session

# The settings; those with a flag become options of `packhorse run`.
KNOWN <- list(
  site = NULL, jobs = "--jobs", cpus = "--cores", memory = "--memory", time = "--time", gpus = "--gpus", partition = "--partition",
  account = "--account", qos = "--qos", area = "--area", job_time = "--job-time", max_jobs = "--max-jobs",
  max_core_hours = "--max-core-hours", modules = "--module", seed = NULL, chunk = NULL, export = NULL, packages = NULL, files = NULL,
  folder = NULL, checks = NULL, warm = NULL, detach = NULL, command = NULL
)

# Set what all calls use from now on, as in ph_options(site = "hec", time = "10 min"); NULL removes a setting.
# Without arguments: return the settings. Returns the earlier values invisibly, which ph_options(earlier) sets again.
#   site, area           where the tasks run (NULL: this machine), and the storage area of the run there
#   cpus, memory, time, gpus                       of one task, as in a study: memory = "2 GB", time = "10 min"
#   partition, account, qos, modules, job_time, max_jobs, max_core_hours    of the jobs on a cluster
#   jobs                 tasks at a time on this machine (NULL: all cores)
#   chunk                calls in one task, of ph_lapply, ph_mclapply and foreach
#   seed                 a whole number that fixes the streams of these three, in place of the state of R's generator
#   export, packages, files    names of variables, packages and files that travel besides those that are found
#   checks               commands that must succeed before any task starts
#   warm                 FALSE: a new process of R for each task; TRUE: forks of one. NULL: ph_map as a study does, the
#                        others FALSE, since the trial before a warm start calls what is in the first task five times
#   folder               the folder of the studies (NULL: packhorse-calls)
#   detach               TRUE: submit to the site and return; then ph_collect() returns the values
#   command              the file of the command packhorse (NULL: it is looked for)
ph_options <- function(...) {
  new <- list(...)
  if (!length(new)) return(as.list(settings, sorted = TRUE))
  if (length(new) == 1 && is.null(names(new)) && is.list(new[[1]])) new <- new[[1]]
  check_settings(new)
  before <- stats::setNames(lapply(names(new), function(name) settings[[name]]), names(new))
  for (name in names(new)) assign(name, new[[name]], envir = settings)
  invisible(before)
}
check_settings <- function(new) {
  unknown <- setdiff(if (is.null(names(new))) rep("", length(new)) else names(new), names(KNOWN))
  if (length(unknown)) {
    near <- names(KNOWN)[which.min(utils::adist(unknown[1], names(KNOWN)))]
    stop("no setting is called `", unknown[1], "`; did you mean ", near, "? settings: ", paste(names(KNOWN), collapse = ", "),
      call. = FALSE
    )
  }
}
with_settings <- function(...) utils::modifyList(as.list(settings), list(...))

find_command <- function(set) {
  places <- c(set$command, getOption("packhorse.command"), Sys.getenv("PACKHORSE_COMMAND"), COMMAND, Sys.which("packhorse"))
  for (place in places[nzchar(places)]) if (file.access(path.expand(place), 1) == 0) return(path.expand(place))
  stop("the command packhorse was not found; name its file: ph_options(command = \"~/.local/bin/packhorse\")", call. = FALSE)
}

# Run packhorse and return its exit status and the object that it prints. Its messages and progress appear on standard error.
run_command <- function(set, words) {
  command <- find_command(set)
  output <- tempfile("packhorse-")
  on.exit(unlink(output))
  env <- character()
  if (is.null(set$site)) {
    # Here tasks get the packages and the Rscript of this session.
    libraries <- paste(.libPaths(), collapse = .Platform$path.sep)
    env <- paste0(c("R_LIBS=", "PATH="), shQuote(c(libraries, paste(R.home("bin"), Sys.getenv("PATH"), sep = .Platform$path.sep))))
  }
  status <- suppressWarnings(system2(command, shQuote(words), stdout = output, stderr = "", env = env))
  lines <- readLines(output, warn = FALSE)
  reply <- if (length(lines)) tryCatch(.packhorse$read_json(lines[length(lines)]), error = function(e) NULL)
  if (length(reply$stopped) && nzchar(reply$stopped)) {
    stop("stopped (", reply$stopped, "); finished calls are kept, and the same call in R continues", call. = FALSE)
  }
  list(status = status, reply = reply)
}

# --- The folder of a study ---

# Make the folder for a function, or find the one of an earlier call: its name is a digest of all that the values depend on.
make_folder <- function(kind, name, captured, more, seed, types, replicate, files, set) {
  packages <- unique(c(attached_packages(), set$packages))
  versions <- vapply(packages, function(one) as.character(utils::packageVersion(one)), "")
  given <- list(
    kind = kind, FUN = captured$FUN, globals = captured$globals, aliases = captured$aliases, more = more, types = types, replicate = replicate, packages = packages
  )
  parts <- list(
    kind, captured$FUN, sorted(captured$globals), captured$frames, more, types, seed, versions,
    as.character(getRversion()), unname(tools::md5sum(files)), files
  )
  digest <- substr(.packhorse$md5(paste(digests(parts), collapse = " ")), 1, 12)
  name <- paste0(substr(gsub("[^A-Za-z0-9]+", "-", name), 1, 30), "-", digest)
  base <- if (is.null(set$folder)) "packhorse-calls" else set$folder
  folder <- file.path(base, name)
  mask <- Sys.umask("077")
  on.exit(Sys.umask(mask))
  if (!dir.exists(base) && dir.create(base, recursive = TRUE, showWarnings = FALSE)) {
    writeLines(c("# Studies of functions that R has called; git ignores them.", "*"), file.path(base, ".gitignore"))
  }
  dir.create(file.path(folder, "packhorse-call", "inputs"), recursive = TRUE, showWarnings = FALSE)
  if (file.access(file.path(folder, "packhorse-call", "inputs"), 2) != 0) {
    stop("the folder ", folder, " cannot be written; name another one: ph_options(folder = \"PATH\")", call. = FALSE)
  }
  folder <- normalizePath(folder)
  path <- file.path(folder, "packhorse-call", "function.rds")
  if (!file.exists(path)) replace_rds(given, path)
  attaching <- if (length(packages)) paste0("library(", packages, ")  # attached in the session that called")
  writeLines(c(attaching, readLines(file.path(HERE, "call.R"))), file.path(folder, "packhorse-call", "call.R"))
  list(path = folder, name = name, kind = kind, digest = unname(tools::md5sum(path)))
}

sorted <- function(x) if (length(x)) x[order(names(x))] else list()

replace_rds <- function(value, path) {
  mask <- Sys.umask("077")
  on.exit(Sys.umask(mask))
  waiting <- tempfile(".write-", dirname(path))
  saveRDS(value, waiting)
  if (!file.rename(waiting, path)) stop("could not write ", path, call. = FALSE)
}

MOST_BYTES <- 64 * 2^20

# Copy files of the working directory to the same place beside the study, where tasks find them.
copy_files <- function(files, folder) {
  size <- sum(file.size(files))
  if (size > MOST_BYTES) {
    stop(sprintf("the function names files of %.0f MB (%s, ...), more than the 64 MB that travel with it; ", size / 1e6, files[1]),
      "name them by an absolute path; for a site over ssh: packhorse put FILES SITE:FOLDER",
      call. = FALSE
    )
  }
  for (file in files) {
    target <- file.path(folder, file)
    dir.create(dirname(target), recursive = TRUE, showWarnings = FALSE)
    if (!file.copy(file, target, overwrite = TRUE, copy.date = TRUE)) stop("could not copy ", file, " to ", target, call. = FALSE)
  }
}

# JSON is YAML, and keeps text and numbers apart.
write_study <- function(folder, parameters, seed, replicates, set) {
  study <- list(
    name = folder$name, command = c("Rscript", "packhorse-call/call.R", folder$digest), parameters = parameters,
    replicates = as.integer(replicates), artifacts = list("values-*.rds")
  )
  if (!length(parameters)) study$parameters <- NULL
  if (!is.null(seed)) study$seed <- seed
  if (folder$kind != "point" && is.null(set$warm)) set$warm <- FALSE
  if (is.logical(set$warm)) study$warm <- set$warm
  if (length(set$checks)) study$checks <- as.list(set$checks)
  path <- file.path(folder$path, "study.yaml")
  text <- .packhorse$write_json(study)
  if (!file.exists(path) || !identical(readLines(path, warn = FALSE), text)) writeLines(text, path)
  path
}

# --- Running it, and its values ---

# Values by key. A call that ended well wins over an earlier error of the same key.
read_values <- function(folder, keys) {
  paths <- list.files(file.path(folder$path, "runs", folder$name, "artifacts"), "^values-.*\\.rds$", recursive = TRUE, full.names = TRUE)
  names <- sub("^values-(.*)\\.rds$", "\\1", basename(paths))
  found <- list()
  for (i in which(names %in% keys)) {
    read <- tryCatch(readRDS(paths[i]), error = function(e) NULL)
    if (!identical(read$format, "packhorse-values") || read$version > 1) next
    failed <- !is.null(read$values[[1]]$error) && length(read$values) == 1
    if (is.null(found[[names[i]]]) || !failed) found[[names[i]]] <- read$values
  }
  found
}

# Tasks that ended without a value, from the table of failures: a data frame, perhaps without rows.
read_failures <- function(folder) {
  path <- file.path(folder$path, "runs", folder$name, "failures.csv")
  empty <- data.frame(cause = character(), ph_index = character(), chunk = character())
  if (file.exists(path)) tryCatch(utils::read.csv(path, colClasses = "character"), error = function(e) empty) else empty
}

# Run the tasks with these keys that have no value yet, wait, and return all their values by key. Failed tasks run again.
run_study <- function(folder, study, keys, set) {
  have <- read_values(folder, keys)
  missing <- vapply(keys, function(key) is.null(have[[key]]) || folder$kind == "point" && !is.null(have[[key]][[1]]$error), NA)
  if (!any(missing)) return(have)
  failed <- nrow(read_failures(folder))
  if (failed < sum(missing)) {
    ran <- run_command(set, c("run", study, "--keep", command_flags(set)))
    if (isTRUE(set$detach)) return(if (ran$status != 0) stop_run(folder, ran))
  }
  if (failed) {
    # A run keeps the cores and GPUs of its tasks, so the command has no options for them.
    set[c("cpus", "gpus", "modules")] <- NULL
    ran <- run_command(set, c("retry", file.path(folder$path, "runs", folder$name), "--keep", command_flags(set)))
  }
  found <- read_values(folder, keys)
  if (!is.null(set$site) && !all(keys %in% names(found))) {
    run_command(set, c("get", study))
    found <- read_values(folder, keys)
  }
  if (!length(ran$reply) && !all(keys %in% names(found))) stop_run(folder, ran)
  found
}
command_flags <- function(set) {
  if (!is.null(set$site)) set$jobs <- NULL # tasks at a time on this machine
  flags <- c(if (!is.null(set$site)) c("--site", set$site), if (isTRUE(set$detach)) "--detach", "--json")
  for (name in names(KNOWN)) {
    if (!is.null(KNOWN[[name]])) for (value in set[[name]]) flags <- c(flags, KNOWN[[name]], format(value, scientific = FALSE))
  }
  flags
}
stop_run <- function(folder, ran) {
  stop("packhorse ended with exit status ", ran$status, "; its message is above; the study: ", folder$path, call. = FALSE)
}
