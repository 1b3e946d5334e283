"""The steps of the way of a message. A step imports no other step."""
