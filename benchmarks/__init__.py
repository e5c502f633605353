"""What `make bench` measures, on real files, real processes and real sockets. Nothing here is a test."""
