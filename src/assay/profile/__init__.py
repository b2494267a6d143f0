"""What a person should know about a table before believing a score made from it.

Typed columns, classes and roles come in, findings go out. Findings warn; nothing is
dropped or changed by them.
"""

from assay.profile.examine import examine
from assay.profile.finding import Finding
from assay.profile.noise import label_noise

__all__ = ["Finding", "examine", "label_noise"]
