"""Text from text: chat and code completion."""
