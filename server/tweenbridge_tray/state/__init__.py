"""What the pages show, as observable objects: fed by the client's events, tested without a window."""
