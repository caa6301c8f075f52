"""The embedded models: their files (fetched, verified, cached) and llama.cpp's server."""
