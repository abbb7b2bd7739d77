# JSON on standard input -> one line for each plain value: its path (a/b/0), a tab, the value without line ends.
function skip() { while (substr(s, i, 1) ~ /^[ \t\r\n]/) i++ }
function code(four,    k, sum) {
    for (k = 1; k <= 4; k++) sum = sum * 16 + index("0123456789abcdef", tolower(substr(four, k, 1))) - 1
    return sum
}
function text(    out, c) {
    i++
    while (i <= n) {
        c = substr(s, i, 1)
        if (c == "\"") { i++; return out }
        if (c == "\\") {
            i++
            c = substr(s, i, 1)
            if (c == "n" || c == "r" || c == "t" || c == "b" || c == "f") c = " "
            else if (c == "u") {
                c = code(substr(s, i + 1, 4))
                c = c >= 32 && c < 127 ? sprintf("%c", c) : c < 32 ? " " : "?"
                i += 4
            }
        }
        out = out c
        i++
    }
    return out
}
function value(path,    c, k, count) {
    skip()
    c = substr(s, i, 1)
    if (c == "{" || c == "[") {
        i++
        skip()
        while (i <= n && substr(s, i, 1) !~ /^[]}]/) {
            if (c == "{") { k = text(); skip(); i++ } else k = count++
            value(path == "" ? k : path "/" k)
            skip()
            if (substr(s, i, 1) == ",") i++
            skip()
        }
        i++
    } else if (c == "\"") print path "\t" text()
    else {
        match(substr(s, i), /^[^], \t\r\n}]+/)
        print path "\t" substr(s, i, RLENGTH)
        i += RLENGTH > 0 ? RLENGTH : 1
    }
}
{ s = s $0 "\n" }
END { n = length(s); i = 1; value("") }
