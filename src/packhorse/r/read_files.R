# Prints each .rds or .RData file that standard input names as one line of JSON: {"json": VALUE} or {"error": REASON}.
# Data frames become rows, named lists and vectors objects, arrays nested lists. Needs packhorse.R, as an argument.

Sys.setenv(PACKHORSE_SEED = "0")
source(commandArgs(TRUE)[1])

read_objects <- function(path, form) {
  if (form == "rds") return(readRDS(path))
  inside <- new.env()
  names <- load(path, envir = inside)
  if (length(names) == 1) get(names, envir = inside) else mget(names, envir = inside)
}

connection <- file("stdin")
for (line in readLines(connection)) {
  parts <- strsplit(line, "\t", fixed = TRUE)[[1]]
  said <- tryCatch(
    paste0('{"json":', .packhorse$write_json(read_objects(parts[2], parts[1])), "}"),
    error = function(e) paste0('{"error":', .packhorse$write_json(conditionMessage(e)), "}")
  )
  writeLines(said)
}
close(connection)
