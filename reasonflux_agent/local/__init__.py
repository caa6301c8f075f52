"""The embedded default: model files (fetch, verify, cache), the in-process llama.cpp server, and the clients of both."""
