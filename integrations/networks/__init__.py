"""The embedded Network service (Neutron's v2.0 API). Everything above enters through ``facade``."""
