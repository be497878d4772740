"""From files to passages, from questions to answers. No SQL, no FAISS, no HTTP."""
