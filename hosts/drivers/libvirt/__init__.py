"""The libvirt driver: guests under QEMU, with KVM where it truly works. Only ``driver.py`` is an entrance."""
