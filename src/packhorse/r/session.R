# Packhorse in an R session, on this machine and on clusters. Base R alone, R 4.0 or later:
#
#   source(system("packhorse r", intern = TRUE))
#
# ph_map(f, params, site = NULL, replicates = 1)   a study in R: one task a call; returns a data frame
# ph_lapply(X, FUN, ...), ph_mclapply(X, FUN, ...) in place of lapply and parallel::mclapply
# registerDoPackhorse(site = NULL)                 in place of registerDoParallel(), for foreach's %dopar%
# ph_options(site = "hec", time = "10 min")        where and how calls run
# ph_collect(handle)                               the values of calls that were started with detach
#
# Also the functions for scripts that run as tasks: ph_params, ph_seed, ph_result, ph_checkpoint, ph_save, ph_cores.
# The functions are attached as "tools:packhorse", so that rm(list = ls()) does not remove them.

local({
  here <- if (nzchar(Sys.getenv("PACKHORSE_R_FOLDER"))) Sys.getenv("PACKHORSE_R_FOLDER") else {
    files <- lapply(sys.frames(), function(frame) frame$ofile)
    dirname(normalizePath(utils::tail(unlist(files), 1)))
  }
  inner <- new.env(parent = baseenv()) # so that no variable of the session hides a function of base
  seed <- Sys.getenv("PACKHORSE_SEED", NA)
  Sys.setenv(PACKHORSE_SEED = "0") # packhorse.R needs one, and would draw it
  sys.source(file.path(here, "packhorse.R"), inner)
  if (is.na(seed)) Sys.unsetenv("PACKHORSE_SEED") else Sys.setenv(PACKHORSE_SEED = seed)
  inner$HERE <- here
  # In a virtual environment this is VENV/lib/pythonX/site-packages/packhorse/r, and the command VENV/bin/packhorse.
  inner$COMMAND <- file.path(dirname(dirname(dirname(dirname(dirname(here))))), "bin", "packhorse")
  inner$VERSION <- "1"
  for (file in c("capture.R", "calls.R", "map.R", "foreach.R")) sys.source(file.path(here, file), inner)

  inner$OWN <- inner
  inner$PUBLIC <- c(
    "ph_map", "ph_lapply", "ph_mclapply", "registerDoPackhorse", "ph_options", "ph_collect", "ph_params", "ph_seed", "ph_result",
    "ph_checkpoint", "ph_save", "ph_cores"
  )
  while ("tools:packhorse" %in% search()) detach("tools:packhorse", character.only = TRUE)
  attach(mget(inner$PUBLIC, envir = inner), name = "tools:packhorse", warn.conflicts = FALSE)
  registerS3method("print", "ph_handle", inner$print.ph_handle)
})
