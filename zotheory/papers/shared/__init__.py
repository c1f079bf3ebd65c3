"""What two papers need."""
