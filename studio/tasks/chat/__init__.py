"""Chat: a conversation, its turns and versions, and what of an answer is thought aloud."""
