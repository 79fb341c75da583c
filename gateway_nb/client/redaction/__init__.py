"""Taking secrets out of what is shown, written or exported."""
