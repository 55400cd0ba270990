# Parse R files, whose paths are on standard input, and print where comments, strings and the bodies of loops are.
# Nothing of them is evaluated. A row: number of the file, kind, first line and column, last line and column, or message.
paths <- readLines(file("stdin"), warn = FALSE)
for (number in seq_along(paths)) {
  path <- paths[[number]]
  row <- function(kind, ...) cat(number, kind, ..., sep = "\t", fill = FALSE)
  parsed <- tryCatch(parse(path, keep.source = TRUE, encoding = "UTF-8"), error = conditionMessage)
  if (is.character(parsed)) {
    place <- paste0(path, ":")
    if (startsWith(parsed, place)) row("fault", sub("\n.*", "", substring(parsed, nchar(place) + 1)), "\n")
    else row("unknown", "\n")
    next
  }
  tokens <- utils::getParseData(parsed)
  if (is.null(tokens)) next
  place <- c("line1", "col1", "line2", "col2")
  quoted <- tokens[tokens$token %in% c("COMMENT", "STR_CONST"), place]
  for (index in seq_len(nrow(quoted))) row("quoted", unlist(quoted[index, ]), "\n")
  loops <- tokens[tokens$token %in% c("FOR", "WHILE", "REPEAT"), "parent"]
  for (loop in loops) {
    inner <- tokens[tokens$parent == loop & tokens$token == "expr", place]
    last <- inner[order(inner$line2, inner$col2), ][nrow(inner), ]
    row("loop", unlist(last), "\n")
  }
}
cat("version", R.version$major, R.version$minor, "\n", sep = "\t")
