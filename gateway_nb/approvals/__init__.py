"""What waits for a person: approvals of commands and of what plugins do, and agents' questions."""
