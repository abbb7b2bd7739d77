"""`./cloud doctor`: looks at this machine and cloud, says what is wrong and how to mend it, and changes nothing."""

from deploy.doctor.command import examine, run

__all__ = ["examine", "run"]
