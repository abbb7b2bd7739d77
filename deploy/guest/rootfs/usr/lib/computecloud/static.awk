# Flattened network_data.json -> lines "address A/P", "route NET GW", "dns A", "mtu N" for the nic with MAC `mac`,
# nothing when its address comes by DHCP.
{ v[$1] = $2 }
function bits(mask,    part, k, b, sum) {
    split(mask, part, ".")
    for (k = 1; k <= 4; k++) for (b = part[k] + 0; b > 0; b = int(b / 2)) sum += b % 2
    return sum + 0
}
END {
    for (k = 0; ("links/" k "/id") in v; k++)
        if (tolower(v["links/" k "/ethernet_mac_address"]) == mac) { link = v["links/" k "/id"]; mtu = v["links/" k "/mtu"] }
    if (link == "") exit
    for (k = 0; ("networks/" k "/link") in v; k++) {
        at = "networks/" k
        if (v[at "/link"] != link || v[at "/type"] != "ipv4" || v[at "/ip_address"] == "") continue
        if (!found++ && mtu + 0 > 0) print "mtu " mtu
        address = v[at "/ip_address"]
        print "address " (address ~ /\// ? address : address "/" bits(v[at "/netmask"]))
        for (r = 0; (at "/routes/" r "/network") in v; r++)
            print "route " v[at "/routes/" r "/network"] "/" bits(v[at "/routes/" r "/netmask"]) " " v[at "/routes/" r "/gateway"]
    }
    if (found) for (k = 0; ("services/" k "/address") in v; k++) print "dns " v["services/" k "/address"]
}
