"""Java, Perl, MATLAB, compilers and others."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="java-heap",
        patterns=(
            r"java\.lang\.OutOfMemoryError",
            r"GC overhead limit exceeded",
            r"There is insufficient memory for the Java Runtime",
        ),
        sentence="Java used up its heap, which may be smaller than the job's memory.",
        remedy="Start it with java -Xmx, at about 80 % of the job's memory, and ask for more if that is too little.",
    ),
    Kind(
        id="perl-module",
        patterns=(r"Can't locate (?P<name>\S+) in @INC",),
        sentence="The Perl module {name} is not installed.",
        remedy="cpanm --local-lib ~/perl5 MODULE, and set PERL5LIB in the script.",
    ),
    Kind(
        id="licence",
        patterns=(
            r"License [Cc]heckout failed",
            r"Licensed number of users already reached",
            r"License Manager Error",
        ),
        sentence="No licence is free, or the node does not reach the licence server.",
        remedy="Try again later, ask for the licence with the job (--licenses), or compile the program.",
    ),
    Kind(
        id="option-unknown",
        patterns=(r"^\S+: (?:unrecognized|invalid|unknown) option (?:-- )?'(?P<name>[^']+)'",),
        sentence="A program does not know the option {name}.",
        remedy="See PROGRAM --help; versions differ between machines.",
    ),
)
