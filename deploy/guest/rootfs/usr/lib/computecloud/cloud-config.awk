# The part of #cloud-config that we know -> lines "hostname X", "password X", "key X", "run X".
function plain(t) {
    gsub(/^[ \t]+|[ \t\r]+$/, "", t)
    if (t ~ /^".*"$/ || t ~ /^'.*'$/) t = substr(t, 2, length(t) - 2)
    return t
}
/^[ \t]*(#|$)/ { next }
/^[A-Za-z_]+:/ {
    section = substr($0, 1, index($0, ":") - 1)
    rest = plain(substr($0, index($0, ":") + 1))
    if (rest != "" && (section == "hostname" || section == "password")) print section " " rest
    next
}
/^[ \t]*- / {
    item = $0
    sub(/^[ \t]*- +/, "", item)
    if (section == "ssh_authorized_keys") print "key " plain(item)
    if (section == "runcmd") print "run " plain(item)
}
