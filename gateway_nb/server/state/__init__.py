"""What the embedded gateway knows; nothing in here sends or waits."""
