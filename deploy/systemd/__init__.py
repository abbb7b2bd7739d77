"""A deployment without `./cloud up`: systemd units, and nginx's site made from the same source as the local front's."""
