"""What one widget is about: its texts and maps, what is asked and said of them, and the thread that tells the pages."""
