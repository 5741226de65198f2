"""What language models say about their answers, in words and in numbers."""
