"""What moves on the screen, one widget a module."""
