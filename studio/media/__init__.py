"""Media: pictures and sound as bytes and pixels, files of strangers in, and nothing of what they mean."""
