"""The state of one widget: its texts, maps, tasks and explanations, and the thread that sends messages to the pages."""
