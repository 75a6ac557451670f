//! OCI and Docker v2.2 image documents as values, image references and canonical JSON.
