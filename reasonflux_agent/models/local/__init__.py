"""The embedded default: its model files (fetch, verify, cache), llama.cpp's server, and the chat models for both."""
