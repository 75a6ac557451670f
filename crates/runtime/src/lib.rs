//! What a program needs around it to run from scratch: its shared libraries, users, certificates and time zones.
