"""What a regime demands: which marks are written and which rules are judged. See `Policy`."""

from aiglabel.policy.policy import (
    AigcPolicy,
    CredentialsPolicy,
    IptcPolicy,
    OverlayPolicy,
    Policy,
    WatermarkPolicy,
    preset_names,
    read_toml,
)

__all__ = [
    "AigcPolicy",
    "CredentialsPolicy",
    "IptcPolicy",
    "OverlayPolicy",
    "Policy",
    "WatermarkPolicy",
    "preset_names",
    "read_toml",
]
