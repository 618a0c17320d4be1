"""What tests of several kinds share: real servers and known bytes."""
