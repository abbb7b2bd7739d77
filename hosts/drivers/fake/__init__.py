"""The fake driver: guests and disks are files that outlive the worker; nothing runs."""
