"""From what a user asks to token ids, and from ids to what a reader sees: chats, pairs, words, named stretches."""
