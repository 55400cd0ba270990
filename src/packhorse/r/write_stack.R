# Writes stacked arrays as a named list to an .rds file: dimensions and their labels as in Python. Needs packhorse.R, the
# description (JSON) and the file to write, as arguments. The numbers are little-endian doubles, first index fastest.

Sys.setenv(PACKHORSE_SEED = "0")
arguments <- commandArgs(TRUE)
source(arguments[1])
described <- .packhorse$read_json(paste(readLines(arguments[2], encoding = "UTF-8"), collapse = "\n"))
arrays <- lapply(described, function(one) {
  sizes <- vapply(one$dims, function(dim) dim$size, 0)
  labels <- lapply(one$dims, function(dim) if (length(dim$labels)) as.character(unlist(dim$labels)))
  names(labels) <- vapply(one$dims, function(dim) dim$name, "")
  values <- readBin(one$file, "double", prod(sizes), size = 8, endian = "little")
  array(values, sizes, labels)
})
saveRDS(arrays, arguments[3])
