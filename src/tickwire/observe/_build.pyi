"""How this build was compiled."""

PROFILE: str
