"""A POSIX shell subset: parser, expansion, interpreter, builtins."""
