const char *words() { return "hello from a shared library"; }
