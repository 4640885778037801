"""How this build was compiled: the macro that setup.py gives every extension."""

cdef extern from *:
    const char* TICKWIRE_BUILD

PROFILE = TICKWIRE_BUILD.decode()
