"""Models on other computers: of other studios, and of servers that speak as OpenAI does."""
