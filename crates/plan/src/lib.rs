//! Plan documents, which fully describe an image, and the engine that builds one into a sink.
