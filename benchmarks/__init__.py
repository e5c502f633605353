"""The benchmarks of `make bench`, with real files, processes and sockets. They are not tests."""
