"""Here are words and a vector: give me passages. No file formats, no models, no HTTP."""
