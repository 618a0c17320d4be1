"""What fills the terminal: the main screen, and the modals over it."""
