"""The project's benchmarks. Each measures beside a reference, in the same run, on the same machine."""
