# What an R script may ask while it runs as a task of Packhorse. Base R alone.
#
#   source(Sys.getenv("PACKHORSE_R"))
#   rng()                                   # seeds R for this task
#   result(mean = mean(rnorm(params$n)))
#
# params       list of the task's parameters: numeric, character, logical; lists of one kind become vectors
# seed         the task's seed as text, since its 63 bits do not fit R's doubles; seed32 is an integer for set.seed
# index, count, replicate     the task's place, from 0
# rng()        L'Ecuyer-CMRG seeded from all 63 bits; returns the state, so parallel's nextRNGStream() can go on from it
# result(...)  the task's result: named values, one list, or a data.frame (a row each); 17 significant digits
# deadline     Unix seconds or NULL; seconds_left() until then, Inf where there is none
# scratch, checkpoint         directories, or NULL
# save_atomic(path, value)    a file that is either wholly there or not at all, and on the disk: value is a function
#                             that writes to the path it is given, or any object, for saveRDS
#
# The same as functions, whose names meet no variable of yours:
#
# ph_params()                 params
# ph_seed(stream = 0)         rng(); stream k is the k-th independent L'Ecuyer stream of this task
# ph_result(...)              result(...)
# ph_checkpoint(value)        saves the state of the task; ph_checkpoint() returns the last one, or NULL
# ph_save(path, value)        save_atomic(path, value)
# ph_cores()                  the cores of this task; outside of a run, those that this process may use

.packhorse <- new.env()

local({
  # --- JSON, read strictly (RFC 8259 and the bare words NaN, Infinity, -Infinity of Python) ---

  token <- paste0(
    '"(?:[^"\\\\\\x00-\\x1f]|\\\\(?:["\\\\/bfnrt]|u[0-9a-fA-F]{4}))*"',
    "|-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?",
    "|-?Infinity|NaN|true|false|null|[][{}:,]"
  )
  words <- list(true = TRUE, false = FALSE, `NaN` = NaN, Infinity = Inf, `-Infinity` = -Inf)
  escapes <- c(b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", `"` = '"', `\\` = "\\", `/` = "/")

  read_json <- function(text) {
    text <- enc2utf8(text)
    tokens <- regmatches(text, gregexpr(token, text, perl = TRUE))[[1]]
    between <- regmatches(text, gregexpr(token, text, perl = TRUE), invert = TRUE)[[1]]
    if (any(grepl("[^ \t\r\n]", between))) stop("not JSON: ", text)
    at <- 1L
    take <- function() {
      if (at > length(tokens)) stop("JSON ends too early: ", text)
      at <<- at + 1L
      tokens[at - 1L]
    }
    expect <- function(wanted) {
      found <- take()
      if (!found %in% wanted) stop("JSON has ", found, " where ", paste(wanted, collapse = " or "), " belongs")
      found
    }
    # Items come wrapped in list(), because a bare NULL would vanish from a list.
    items <- function(close, name) {
      found <- list()
      if (at <= length(tokens) && tokens[at] == close) {
        take()
        return(found)
      }
      repeat {
        if (name) {
          key <- take()
          if (!startsWith(key, '"')) stop("JSON has ", key, " where a name belongs")
          expect(":")
          found[read_text(key)] <- list(value())
        } else {
          found <- c(found, list(value()))
        }
        if (expect(c(",", close)) == close) return(found)
      }
    }
    value <- function() {
      found <- take()
      if (found == "{") return(items("}", TRUE))
      if (found == "[") return(as_vector(items("]", FALSE)))
      if (startsWith(found, '"')) return(read_text(found))
      if (found == "null") return(NULL)
      if (found %in% names(words)) return(words[[found]])
      if (grepl("^-?[0-9]", found)) return(read_number(found))
      stop("JSON has ", found, " where a value belongs")
    }
    read <- value()
    if (at <= length(tokens)) stop("JSON goes on after its end: ", text)
    read
  }

  as_vector <- function(found) {
    kinds <- unique(vapply(found, function(x) if (is.null(x)) "NULL" else typeof(x), ""))
    alone <- all(vapply(found, function(x) is.null(x) || (is.atomic(x) && length(x) == 1), TRUE))
    if (!length(found) || !alone || length(setdiff(kinds, "NULL")) != 1) return(found)
    unlist(lapply(found, function(x) if (is.null(x)) NA else x))
  }

  read_text <- function(quoted) {
    inside <- substr(quoted, 2, nchar(quoted) - 1)
    if (!grepl("\\", inside, fixed = TRUE)) return(inside)
    pair <- "\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    found <- gregexpr(paste0(pair, "|\\\\u[0-9a-fA-F]{4}|\\\\."), inside, perl = TRUE)
    regmatches(inside, found) <- lapply(regmatches(inside, found), vapply, read_escape, "")
    enc2utf8(inside)
  }

  read_escape <- function(escape) {
    if (nchar(escape) == 2) return(escapes[[substr(escape, 2, 2)]])
    units <- strtoi(strsplit(substr(escape, 3, nchar(escape)), "\\u", fixed = TRUE)[[1]], 16L)
    if (length(units) == 2) units <- 0x10000 + (units[1] - 0xD800) * 0x400 + units[2] - 0xDC00
    if (units == 0) stop("R cannot hold the character U+0000")
    intToUtf8(units)
  }

  # R's own reading of decimals is off by one bit about once in 10,000 (R_strtod in R 4.2), so the neighbours
  # are compared with the text. Whole numbers beyond 2^53 stay text: a double would change them.
  read_number <- function(text) {
    x <- as.numeric(text)
    if (!grepl("[.eE]", text)) return(if (abs(x) >= 2^53) text else x)
    if (x == 0 || !is.finite(x) || abs(x) < 1e-300) return(x)
    near <- x + c(0, -1, 1) * 2^(floor(log2(abs(x))) - 52)
    near <- near[is.finite(near)]
    said <- sprintf("%.24e", near)
    top <- max(vapply(c(text, said), exponent, 0))
    wanted <- two_halves(text, top)
    apart <- vapply(said, function(other) abs(sum((two_halves(other, top) - wanted) * c(1e13, 1))), 0)
    near[which.min(apart)]
  }
  # The power of ten of the first digit that is not zero.
  exponent <- function(text) {
    power <- if (grepl("[eE]", text)) as.numeric(sub(".*[eE]", "", text)) else 0
    plain <- sub("[eE].*", "", sub("^-", "", text))
    whole <- sub("^0+", "", sub("[.].*", "", plain))
    if (nzchar(whole)) return(power + nchar(whole) - 1)
    power - 1 - nchar(sub("^0*[.](0*).*", "\\1", plain))
  }
  # The first 25 digits from the power of ten `top` on, as two numbers that doubles hold exactly.
  two_halves <- function(text, top) {
    digits <- sub("^0+", "", gsub("[^0-9]", "", sub("[eE].*", "", text)))
    digits <- substr(paste0(strrep("0", top - exponent(text)), digits, strrep("0", 25)), 1, 25)
    as.numeric(c(substr(digits, 1, 12), substr(digits, 13, 25)))
  }

  # --- JSON, written: 17 significant digits give every double back; ASCII, so that no locale matters ---

  write_json <- function(x) {
    if (is.null(x)) return("null")
    if (is.table(x)) x <- as.data.frame(x)
    if (is.matrix(x) && !is.null(dimnames(x))) x <- as_frame(x)
    if (is.data.frame(x)) return(write_rows(x))
    if (is.list(x)) return(write_list(x))
    if (is.factor(x) || inherits(x, c("Date", "POSIXt", "difftime"))) x <- format_plain(x)
    if (length(dim(x)) > 1) return(write_dimensions(x, dim(x)))
    if (length(x) > 1 && !is.null(names(x))) return(write_list(as.list(x)))
    each <- write_each(x)
    if (length(each) == 1) each else write_array(each)
  }
  # Row by row, as NumPy and JSON nest arrays; R itself stores them column by column.
  write_dimensions <- function(x, sizes) {
    if (length(sizes) == 1) return(write_array(write_each(as.vector(x))))
    slices <- matrix(as.vector(x), nrow = sizes[1])
    write_array(vapply(seq_len(sizes[1]), function(i) write_dimensions(slices[i, ], sizes[-1]), ""))
  }
  # A matrix with names becomes a data frame: coef(summary(fit)) has the terms as its row names.
  as_frame <- function(x) {
    frame <- as.data.frame(x, stringsAsFactors = FALSE)
    if (is.null(colnames(x))) names(frame) <- paste0("V", seq_len(ncol(x)))
    frame
  }
  format_plain <- function(x) if (inherits(x, "difftime")) as.numeric(x) else as.character(x)
  write_array <- function(each) paste0("[", paste(each, collapse = ","), "]")
  write_list <- function(x) {
    each <- vapply(x, write_json, "")
    if (is.null(names(x))) return(write_array(each))
    if (any(names(x) == "")) stop("result: every value needs a name")
    if (anyDuplicated(names(x))) stop("result: two values are named ", names(x)[anyDuplicated(names(x))])
    paste0("{", paste0(vapply(names(x), write_text, ""), ":", each, collapse = ","), "}")
  }
  # Row names other than 1, 2, 3, ... are labels: they become the first column.
  write_rows <- function(frame) {
    if (.row_names_info(frame) > 0) {
      column <- "rowname"
      while (column %in% names(frame)) column <- paste0(column, "_")
      frame <- cbind(stats::setNames(list(row.names(frame)), column), frame, stringsAsFactors = FALSE)
    }
    write_array(vapply(seq_len(nrow(frame)), function(i) write_list(lapply(frame, function(column) column[[i]])), ""))
  }
  write_each <- function(x) {
    if (is.character(x)) return(ifelse(is.na(x), "null", vapply(x, write_text, "", USE.NAMES = FALSE)))
    if (is.logical(x)) return(ifelse(is.na(x), "null", ifelse(x, "true", "false")))
    if (is.integer(x)) return(ifelse(is.na(x), "null", sprintf("%d", x)))
    if (is.numeric(x)) return(vapply(as.numeric(x), write_number, ""))
    stop("result: cannot write a ", class(x)[1], "; give numbers, text, logical values, lists or a data.frame")
  }
  write_number <- function(x) {
    if (is.nan(x)) return("NaN")
    if (is.na(x)) return("null")
    if (is.infinite(x)) return(if (x > 0) "Infinity" else "-Infinity")
    if (x == 0) return(if (1 / x < 0) "-0.0" else "0")
    sprintf("%.17g", x)
  }
  write_text <- function(x) {
    if (is.na(x)) return("null")
    points <- utf8ToInt(enc2utf8(x))
    if (anyNA(points)) stop("result: text that is neither UTF-8 nor of this locale: ", dQuote(x))
    far <- points > 0xFFFF
    plain <- points >= 32 & points < 127 & points != 34 & points != 92
    each <- sprintf("\\u%04x", as.integer(points))
    each[plain] <- vapply(points[plain], intToUtf8, "")
    rest <- points[far] - 0x10000
    each[far] <- sprintf("\\u%04x\\u%04x", as.integer(0xD800 + rest %/% 0x400), as.integer(0xDC00 + rest %% 0x400))
    paste0('"', paste(each, collapse = ""), '"')
  }

  # --- Seeds: SplitMix64 (Steele, Lea and Flood 2014) on limbs of 16 bits, lowest first ---

  limbs_of <- function(text) {
    limbs <- c(0, 0, 0, 0)
    for (digit in strsplit(text, "")[[1]]) limbs <- carry(limbs * 10 + c(as.numeric(digit), 0, 0, 0))
    limbs
  }
  carry <- function(limbs) {
    for (i in 1:3) {
      limbs[i + 1] <- limbs[i + 1] + limbs[i] %/% 65536
      limbs[i] <- limbs[i] %% 65536
    }
    limbs[4] <- limbs[4] %% 65536
    limbs
  }
  times <- function(a, b) {
    sums <- vapply(1:4, function(k) sum(a[1:k] * b[k:1]), 0)
    carry(sums)
  }
  shift_xor <- function(a, bits) {
    whole <- bits %/% 16
    part <- 2^(bits %% 16)
    moved <- c(a[(1 + whole):4], numeric(whole + 1))
    shifted <- moved[1:4] %/% part + (moved[2:5] %% part) * (65536 / part)
    bitwXor(a, shifted)
  }
  gamma <- c(0x7C15, 0x7F4A, 0x79B9, 0x9E37)
  first <- c(0xE5B9, 0x1CE4, 0x476D, 0xBF58)
  second <- c(0x11EB, 0x1331, 0x49BB, 0x94D0)

  # Six draws, three modulo m1 = 2^32 - 209 and three modulo m2 = 2^32 - 22853 (L'Ecuyer 1999, MRG32k3a); R keeps
  # them as signed integers. Three zeros in a row are no state: then the first of them is 1.
  lecuyer_state <- function(seed) {
    at <- limbs_of(seed)
    state <- numeric(6)
    for (i in 1:6) {
      at <- carry(at + gamma)
      z <- times(shift_xor(at, 30), first)
      z <- times(shift_xor(z, 27), second)
      z <- shift_xor(z, 31)
      modulus <- if (i <= 3) 4294967087 else 4294944443
      for (limb in rev(z)) state[i] <- (state[i] * 65536 + limb) %% modulus
    }
    for (half in c(1, 4)) if (all(state[half:(half + 2)] == 0)) state[half] <- 1
    as.integer(ifelse(state >= 2^31, state - 2^32, state))
  }

  # --- What scripts call ---

  .packhorse$rng <- function() {
    RNGkind("L'Ecuyer-CMRG", "Inversion", "Rejection")
    state <- c(.Random.seed[1], lecuyer_state(.packhorse$seed))
    assign(".Random.seed", state, envir = globalenv())
    invisible(state)
  }

  .packhorse$given <- NULL
  .packhorse$result <- function(...) {
    values <- list(...)
    if (length(values) == 1 && is.null(names(values))) {
      values <- values[[1]]
      if (is.matrix(values) && !is.null(dimnames(values))) values <- as_frame(values)
      if (is.table(values)) values <- as.data.frame(values)
      if (is.atomic(values) && !is.null(names(values))) values <- as.list(values)
    }
    if (!is.list(values) || is.null(names(values)) && !is.data.frame(values)) {
      stop("result: give names, as in result(mean = m), or one list or data.frame")
    }
    # Values of several calls add up, as in Python.
    if (!is.data.frame(values) && !is.data.frame(.packhorse$given)) {
      before <- .packhorse$given
      values <- c(before[setdiff(names(before), names(values))], values)
    }
    .packhorse$given <- values
    output <- Sys.getenv("PACKHORSE_OUTPUT")
    if (nzchar(output)) {
      replace_file(output, function(path) writeLines(write_json(values), path))
    }
    invisible(values)
  }
  reg.finalizer(.packhorse, function(e) {
    if (!is.null(e$given) && !nzchar(Sys.getenv("PACKHORSE_OUTPUT"))) cat("\n", write_json(e$given), "\n", sep = "")
  }, onexit = TRUE)

  .packhorse$save_atomic <- function(path, value) {
    replace_file(path, if (is.function(value)) value else function(to) saveRDS(value, to), durable = TRUE)
    invisible(path)
  }
  replace_file <- function(path, write, durable = FALSE) {
    waiting <- tempfile(paste0(".", substr(basename(path), 1, 40), "-", Sys.getpid(), "-"), dirname(path))
    on.exit(unlink(waiting))
    write(waiting)
    if (durable) sync(waiting)
    if (!file.rename(waiting, path)) stop("could not write ", path)
    if (durable) sync(dirname(path))
  }
  # Base R has no fsync; the sync of coreutils flushes one file, that of macOS everything.
  sync <- function(path) {
    if (system2("sync", shQuote(path)) != 0) warning("could not flush ", path, " to the disk", call. = FALSE)
  }

  # --- The task ---

  text <- Sys.getenv("PACKHORSE_TASK")
  kept <- Sys.getenv("PACKHORSE_TASK_FILE")  # parameters that are too long for a variable
  if (!nzchar(text) && nzchar(kept)) text <- readChar(kept, file.size(kept), useBytes = TRUE)
  Encoding(text) <- "UTF-8"
  task <- if (nzchar(text)) read_json(text) else list()
  or <- function(x, otherwise) if (is.null(x)) otherwise else x
  by_hand <- function() {
    drawn <- Sys.getenv("PACKHORSE_SEED")
    if (nzchar(drawn)) return(drawn)
    drawn <- sprintf("%.0f", (as.numeric(Sys.time()) * 1e6 + Sys.getpid() * 2^33) %% 2^53)
    message("packhorse: not inside a run, so a seed was drawn; to repeat: PACKHORSE_SEED=", drawn)
    drawn
  }
  .packhorse$params <- or(task$params, list())
  .packhorse$index <- or(task$index, 0)
  .packhorse$count <- or(task$count, 1)
  .packhorse$replicate <- or(task$replicate, 0)
  .packhorse$seed <- if (is.null(task$seed)) by_hand() else format(task$seed, scientific = FALSE)
  low <- limbs_of(.packhorse$seed)
  .packhorse$seed32 <- as.integer(or(task$seed32, low[1] + low[2] %% 32768 * 65536))
  .packhorse$deadline <- task$deadline
  .packhorse$scratch <- or(task$scratch, tempdir())
  .packhorse$checkpoint <- task$checkpoint
  .packhorse$seconds_left <- function() {
    if (is.null(.packhorse$deadline)) Inf else .packhorse$deadline - as.numeric(Sys.time())
  }
  .packhorse$ph_seed <- function(stream = 0) {
    state <- .packhorse$rng()
    for (k in seq_len(stream)) state <- parallel::nextRNGStream(state)
    assign(".Random.seed", state, envir = globalenv())
    invisible(state)
  }
  .packhorse$ph_checkpoint <- function(value) {
    folder <- .packhorse$checkpoint
    path <- if (!is.null(folder)) file.path(folder, "ph_checkpoint.rds")
    if (missing(value)) return(if (!is.null(path) && file.exists(path)) readRDS(path))
    if (!is.null(path)) return(.packhorse$save_atomic(path, value))
    if (length(task)) stop("ph_checkpoint: the study keeps no checkpoints; write in it: checkpoint: true", call. = FALSE)
    invisible(NULL)
  }
  .packhorse$ph_cores <- function() {
    cores <- suppressWarnings(as.integer(Sys.getenv("MC_CORES")))
    if (length(task) && !is.na(cores)) return(cores)
    allowed <- tryCatch(parallel::mcaffinity(NULL), error = function(e) NULL)
    if (is.null(allowed)) max(1L, parallel::detectCores(), na.rm = TRUE) else length(allowed)
  }
  .packhorse$md5 <- function(texts) {
    files <- tempfile(rep("md5-", length(texts)))
    on.exit(unlink(files))
    for (i in seq_along(texts)) writeLines(enc2utf8(texts[[i]]), files[i], useBytes = TRUE)
    unname(tools::md5sum(files))
  }
  # The name of the value of a point in files of ph_map.
  .packhorse$point_key <- function(params, replicate) {
    .packhorse$write_json(list(if (length(params)) params, replicate))
  }
  .packhorse$lecuyer_state <- lecuyer_state
  .packhorse$read_json <- read_json
  .packhorse$write_json <- write_json
})

params <- .packhorse$params
index <- .packhorse$index
count <- .packhorse$count
replicate <- .packhorse$replicate
seed <- .packhorse$seed
seed32 <- .packhorse$seed32
deadline <- .packhorse$deadline
seconds_left <- .packhorse$seconds_left
scratch <- .packhorse$scratch
checkpoint <- .packhorse$checkpoint
rng <- .packhorse$rng
result <- .packhorse$result
save_atomic <- .packhorse$save_atomic
ph_params <- function() .packhorse$params
ph_seed <- .packhorse$ph_seed
ph_result <- .packhorse$result
ph_checkpoint <- .packhorse$ph_checkpoint
ph_save <- .packhorse$save_atomic
ph_cores <- .packhorse$ph_cores
