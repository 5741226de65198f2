"""Encoding of prompts (texts, chats, pairs) to token ids, and description of ids as tokens, words and segments."""
