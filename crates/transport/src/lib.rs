//! Opens media by the names people type: oci:DIR:NAME, oci-archive:FILE, docker-archive:FILE.
