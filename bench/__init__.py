"""Compare this proxy with others on one small machine; see README.md beside this file."""
