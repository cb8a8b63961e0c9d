"""What a file is, by its bytes: formats, tracks, duration, completeness. No database, no network."""
