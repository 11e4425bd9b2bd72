"""Library: outputs on disk, and all that is kept beside them: inputs, conversations, marks."""
