"""The methods of the embedded gateway, a module for each domain; `dispatch` joins their tables."""
